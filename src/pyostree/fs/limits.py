"""Limits of the process on what the kernel gives it."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress


def raise_open_files_limit() -> None:
    """Allow as many open files as the administrator permits: deep trees hold one per level."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files_limit() -> int:
    """Return how many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
