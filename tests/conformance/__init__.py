"""Runs the reference's installed test suite against an ``ostree`` command."""
