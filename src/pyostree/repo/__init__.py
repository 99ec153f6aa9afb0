"""The local repository: configuration, refs, object store, transactions, commits, checkouts."""
