"""What ``ostree refs`` and ``reset`` do to refs: selecting, creating and deleting them."""

from __future__ import annotations

from pyostree.errors import ConflictError, InvalidNameError, NotFoundError, doing
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import (
    CollectionRef,
    check_collection_id,
    parse_refspec,
)
from pyostree.repo.refs import split_prefix
from pyostree.repo.remote_groups import remote_collections
from pyostree.repo.repo import Repo


def select_refs(repo: Repo, prefix: str | None, *, full_names: bool) -> dict[str, str]:
    """Return refs with the text of their files, sorted by name.

    Args:
        prefix: a ref, a directory of refs, or ``REMOTE:``; None for all refs.
        full_names: do not cut a directory's name off the names below it.
    """
    with doing("Listing refs"):
        refs = repo.refs.list(prefix)
        if prefix is None or full_names or not repo.refs.is_ref_directory(prefix):
            return refs
    return {_cut(name, prefix): text for name, text in refs.items()}


def _cut(name: str, prefix: str) -> str:
    remote, colon, path = prefix.rpartition(":")
    return f"{remote}{colon}{name[len(prefix) + 1 :]}" if path else _without_dot(name)


def _without_dot(name: str) -> str:
    return name.replace(":./", ":", 1)


def select_aliases(repo: Repo, prefix: str | None) -> dict[str, str]:
    """Return local aliases and the refs they stand for; `prefix` as in `select_refs`."""
    with doing("Listing refs"):
        return _aliases_below(repo, prefix)


def _aliases_below(repo: Repo, prefix: str | None) -> dict[str, str]:
    remote, path = (None, "") if prefix is None else split_prefix(prefix)
    aliases = repo.refs.aliases() if remote is None else {}
    return {name: target for name, target in aliases.items() if _is_below(name, path)}


def _is_below(name: str, path: str) -> bool:
    return path in ("", name) or name.startswith(f"{path}/")


def select_collection_refs(
    repo: Repo, collection_id: str | None, *, remotes: bool = True
) -> dict[CollectionRef, str]:
    """Return the refs of one collection, or of all, sorted."""
    with doing("Listing refs"):
        if collection_id is not None:
            check_collection_id(collection_id)
        remote_ids = remote_collections(repo) if remotes else {}
        refs = repo.refs.list_collections(repo.config.collection_id, remote_ids)
    return {
        ref: text
        for ref, text in refs.items()
        if collection_id is None or ref.collection_id == collection_id
    }


def create_ref(repo: Repo, new: str, revision: str, *, force: bool) -> None:
    """Make the ref `new` (``[REMOTE:]REF``) point to a revision.

    Raises:
        ConflictError: it exists, and `force` is not set; or other refs are below it.
    """
    if not force:
        _check_new(repo, new)
    checksum = repo.resolve(revision)
    repo.set_ref(parse_refspec(new), checksum)


def create_alias(repo: Repo, new: str, target: str, *, force: bool) -> None:
    """Make the local ref `new` an alias of the local ref `target`; an alias is replaced.

    Raises:
        ConflictError: a ref that is no alias has that name, and `force` is not set.
        NotFoundError: there is no ref `target`.
        InvalidNameError: one of them belongs to a remote.
    """
    _check_local(new)
    with doing("Listing refs"):
        is_alias = new in repo.refs.aliases()
        refs = repo.refs.list()
    if not force and not is_alias:
        _check_new(repo, new)
    if target not in refs:
        raise NotFoundError(f"Cannot create alias to non-existent ref: {target}")
    _check_local(target)
    repo.refs.write_alias(new, target)
    repo.refs_changed()


def _check_local(name: str) -> None:
    remote = parse_refspec(name).remote
    if remote is not None:
        raise InvalidNameError(f"Cannot create alias to remote ref: {remote}")


def create_collection_ref(repo: Repo, new: str, revision: str) -> None:
    """Make a collection's ref (``COLLECTION-ID:REF``) point to a revision."""
    refspec = parse_refspec(new)
    check_collection_id(refspec.ref if refspec.remote is None else refspec.remote)
    if refspec.remote is None:
        raise InvalidNameError(f"Invalid refspec {new}")
    checksum = repo.resolve(revision)
    _write_collection_ref(repo, CollectionRef(refspec.remote, refspec.ref), checksum)
    repo.refs_changed()


def _write_collection_ref(repo: Repo, ref: CollectionRef, checksum: Checksum | None) -> None:
    own_id = repo.config.collection_id
    repo.refs.write_collection(ref, checksum, own_id=own_id, sync=repo.fsync)


def _check_new(repo: Repo, name: str) -> None:
    try:
        found = repo.resolve_or_none(name, fallback=False)
    except IsADirectoryError:  # writing the ref decides whether it may take the directory's place
        return
    if found is not None:
        raise ConflictError(f"--create specified but ref {name} already exists")


def delete_refs(repo: Repo, prefix: str) -> None:
    """Delete the refs that `prefix` selects; none is fine.

    Raises:
        ConflictError: an alias stands for one of them; those before it are gone then.
    """
    with doing("Listing refs"):
        # A dangling alias is no ref, but must not stay for ever.
        names = sorted({*repo.refs.list(prefix), *_aliases_below(repo, prefix)})
        aliases = repo.refs.aliases()
    for name in names:
        for alias, target in aliases.items():
            if target == name:
                raise ConflictError(f"Ref '{name}' has an active alias: '{alias}'")
        repo.refs.write(parse_refspec(_without_dot(name)), None, sync=repo.fsync)
        aliases.pop(name, None)
    if names:
        repo.refs_changed()


def delete_collection_refs(repo: Repo, collection_id: str) -> None:
    """Delete the refs of a collection, not those of remotes."""
    refs = select_collection_refs(repo, collection_id, remotes=False)
    for ref in refs:
        _write_collection_ref(repo, ref, None)
    if refs:
        repo.refs_changed()


def reset_ref(repo: Repo, name: str, revision: str) -> None:
    """Point the existing ref `name` to a revision.

    Raises:
        NotFoundError: no such ref, or no such revision.
    """
    with doing("Listing refs"):
        refs = repo.refs.list()
    if name not in refs:
        raise NotFoundError(f"Invalid ref '{name}'")
    checksum = repo.resolve(revision)
    with repo.transaction() as transaction:
        transaction.set_ref(name, checksum)
