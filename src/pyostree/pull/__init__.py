"""Pulling: what is wanted, fetching or importing it, verifying, storing, and the refs last."""
