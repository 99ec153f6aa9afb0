"""Reading dirtrees that nobody has checked yet, such as those of a trusted repository."""

from __future__ import annotations

from pyostree.errors import InvalidNameError, doing
from pyostree.formats.dirtree import Dirtree
from pyostree.formats.gvariant import decode
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, check_filename
from pyostree.repo.repo import Repo

_DIRTREE_TYPE = "(a(say)a(sayay))"


def load_checked_dirtree(repo: Repo, checksum: Checksum, path: str) -> Dirtree:
    """Return a stored dirtree whose names may become paths.

    Args:
        path: where in its commit it is, for messages.

    Raises:
        FormatError: it is damaged.
        InvalidNameError: a name would lead out of the directory.
    """
    with doing(f"Validating dirtree {checksum} ({path})"):
        try:
            return repo.load_dirtree(checksum)
        except InvalidNameError:
            _check_entries(repo.store.read_metadata(ObjectName(checksum, ObjectType.DIRTREE)))
            raise


def _check_entries(data: bytes) -> None:
    """Say which entry is the bad one."""
    for kind, entries in zip(("File", "Dir"), decode(_DIRTREE_TYPE, data), strict=True):
        for number, entry in enumerate(entries):
            with doing(f"{kind} {number} in dirtree"):
                check_filename(entry[0])
