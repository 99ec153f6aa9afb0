"""The only layer that calls the operating system on files: handles, xattrs, locks, durability."""
