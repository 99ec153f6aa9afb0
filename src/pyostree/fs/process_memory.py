"""How much memory processes and the machine have."""

from __future__ import annotations

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_RESIDENT = 1
_SHARED = 2


def memory_of_machine() -> int:
    """Return the bytes of main memory."""
    return os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES


def own_memory_of(pid: int) -> int:
    """Return the bytes of main memory that process `pid` does not share with files.

    Raises:
        OSError: there is no such process.
    """
    with open(f"/proc/{pid}/statm", "rb") as file:
        fields = file.read().split()
    return (int(fields[_RESIDENT]) - int(fields[_SHARED])) * _PAGE_BYTES
