"""Signing and verifying: which signatures a commit or summary carries, and which keys count."""
