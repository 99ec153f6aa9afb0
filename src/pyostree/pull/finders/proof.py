"""Whether a repository really has the commit that it lists, and of the time that it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from pyostree.errors import ObjectNotFoundError, doing
from pyostree.formats.commit import decode_commit
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.formats.refspec import CollectionRef
from pyostree.fs.dir import Dir
from pyostree.pull.finders.base import Search
from pyostree.pull.signatures import CommitDemand, CommitSignatures, GpgDemand, OtherDemand
from pyostree.remote.dynamic import DynamicRemote, add_dynamic
from pyostree.remote.endpoints import fetch_settings, resolve_bases
from pyostree.remote.fetch import Body, FetchRequest, fetch_body
from pyostree.remote.keyrings import open_remote_verifier
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_COMMITS, read_engine_demand
from pyostree.remote.watched_fetcher import WatchedFetcher
from pyostree.repo.bindings import check_bindings
from pyostree.repo.repo import Repo

# A commit that lists the sizes of 400,000 objects has that many; nobody vouches for a peer's.
_MAX_BYTES = 16 << 20


def prove_timestamp(
    search: Search,
    remote: str | DynamicRemote,
    ref: CollectionRef,
    checksum: Checksum,
    turn: AbstractContextManager[object],
) -> int:
    """Return when a commit was made, after checking that it is signed, and made for a ref.

    Args:
        turn: held while what came over the network is read and verified.

    Raises:
        OstreeError, OSError: it is not there, or not acceptable.
    """
    remotes = Remotes.load(search.repo)
    if not isinstance(remote, DynamicRemote):
        name = remote
    else:
        add_dynamic(remotes, remote)
        name = remote.name
        if remote.path is not None:
            commit = _read(remote.path, checksum)
            with turn:
                return _check(remotes, name, ref, checksum, commit)
    with _fetch(search, remotes, name, checksum) as (body, detached), turn:
        search.watch.check()  # that may have taken a while
        commit = (body.read(), None if detached is None else detached.read())
        return _check(remotes, name, ref, checksum, commit)


def _check(
    remotes: Remotes,
    name: str,
    ref: CollectionRef,
    checksum: Checksum,
    found: tuple[bytes, bytes | None],
) -> int:
    data, detached = found
    engines = read_engine_demand(remotes, name, FOR_COMMITS)
    demands: list[CommitDemand] = [] if engines is None else [OtherDemand(engines)]
    demands.insert(0, GpgDemand(open_remote_verifier(remotes, name)))
    with CommitSignatures(demands) as signatures:
        signatures.check(checksum, data, detached)
    commit = decode_commit(data)
    with doing(f"Commit {checksum}"):
        check_bindings(commit, ref.ref, ref.collection_id)
    return commit.timestamp


def _read(path: str, checksum: Checksum) -> tuple[bytes, bytes | None]:
    """Return a commit and its detached metadata, from a repository on this machine."""
    with Repo.open_foreign(Dir.at(path), path) as source:
        store = source.store
        commit = store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
        return commit, store.read_detached(checksum)


@contextmanager
def _fetch(
    search: Search, remotes: Remotes, name: str, checksum: Checksum
) -> Iterator[tuple[Body, Body | None]]:
    """Give the same from a server, not read yet."""
    from pyostree.remote.curl import open_fetcher  # libcurl takes its time to load

    settings = fetch_settings(search.repo, remotes, name, search.fetch)
    with open_fetcher(settings, search.repo.tmp) as unwatched, ExitStack() as opened:
        fetcher = WatchedFetcher(unwatched, search.watch)
        bases = resolve_bases(fetcher, remotes, name).metadata
        bodies = []
        for extension in ("commitmeta", "commit"):
            path = f"objects/{loose_path(checksum, extension)}"
            body = fetch_body(fetcher, FetchRequest(path, bases, _MAX_BYTES, optional=True))
            bodies.append(None if body is None else opened.enter_context(body))
        detached, commit = bodies
        if commit is None:
            raise ObjectNotFoundError(f"Metadata not found for commit ‘{checksum}’")
        yield commit, detached
