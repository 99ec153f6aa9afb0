"""Refs as programs see them: one at a time, and whole names."""

from __future__ import annotations

from pyostree.errors import doing
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.repo.ref_admin import delete_refs, select_refs
from pyostree.repo.refs import not_found
from pyostree.repo.repo import Repo


def list_refs(repo: Repo, prefix: str | None) -> dict[str, Checksum]:
    """Return refs by full name.

    Raises:
        InvalidNameError: the file of a ref holds no checksum.
    """
    found = {}
    for name, text in select_refs(repo, prefix, full_names=True).items():
        with doing(f"Ref {name}"):
            found[name] = parse_checksum(text)
    return found


def delete_ref(repo: Repo, name: str) -> None:
    """Delete the ref or alias `name`, nothing below it.

    Raises:
        RefNotFoundError: there is none.
        ConflictError: an alias stands for it.
    """
    if name not in repo.refs.list(name):
        raise not_found(name)
    delete_refs(repo, name)
