"""Whether a repository really has the commit that it lists, and of the time that it says."""

from __future__ import annotations

from pyostree.errors import ObjectNotFoundError, doing
from pyostree.formats.commit import decode_commit
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.formats.refspec import CollectionRef
from pyostree.fs.dir import Dir
from pyostree.pull.finders.base import Search
from pyostree.pull.signatures import CommitSignatures
from pyostree.remote.dynamic import DynamicRemote, add_dynamic
from pyostree.remote.endpoints import fetch_settings, resolve_bases
from pyostree.remote.fetch import MAX_METADATA_BYTES, Fetcher, FetchRequest, fetch_bytes
from pyostree.remote.keyrings import open_remote_verifier
from pyostree.remote.remotes import Remotes
from pyostree.remote.urls import BaseUrl
from pyostree.repo.bindings import check_bindings
from pyostree.repo.repo import Repo


def prove_timestamp(
    search: Search, remote: str | DynamicRemote, ref: CollectionRef, checksum: Checksum
) -> int:
    """Return when a commit was made, after checking that it is signed, and made for a ref.

    Raises:
        OstreeError, OSError: it is not there, or not acceptable.
    """
    remotes = Remotes.load(search.repo)
    name = remote
    if isinstance(remote, DynamicRemote):
        add_dynamic(remotes, remote)
        name = remote.name
    assert isinstance(name, str)
    data, detached = _get(search, remotes, remote, name, checksum)
    with CommitSignatures(open_remote_verifier(remotes, name)) as signatures:
        signatures.check(checksum, data, detached)
    commit = decode_commit(data)
    with doing(f"Commit {checksum}"):
        check_bindings(commit, ref.ref, ref.collection_id)
    return commit.timestamp


def _get(
    search: Search, remotes: Remotes, remote: str | DynamicRemote, name: str, checksum: Checksum
) -> tuple[bytes, bytes | None]:
    """Return a commit and its detached metadata."""
    if isinstance(remote, DynamicRemote) and remote.path is not None:
        with Repo.open_foreign(Dir.at(remote.path), remote.path) as source:
            store = source.store
            commit = store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
            return commit, store.read_detached(checksum)
    from pyostree.remote.curl import open_fetcher  # libcurl takes its time to load

    settings = fetch_settings(search.repo, remotes, name, search.fetch)
    with open_fetcher(settings, search.repo.tmp) as fetcher:
        bases = resolve_bases(fetcher, remotes, name).metadata
        detached = _fetch(fetcher, bases, checksum, "commitmeta")
        data = _fetch(fetcher, bases, checksum, "commit")
    if data is None:
        raise ObjectNotFoundError(f"Metadata not found for commit ‘{checksum}’")
    return data, detached


def _fetch(
    fetcher: Fetcher, bases: tuple[BaseUrl, ...], checksum: Checksum, extension: str
) -> bytes | None:
    path = f"objects/{loose_path(checksum, extension)}"
    return fetch_bytes(fetcher, FetchRequest(path, bases, MAX_METADATA_BYTES, optional=True))
