"""What a caller may ask of a pull."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import ConflictError
from pyostree.formats.objects import MAX_METADATA_BYTES, Checksum, parse_checksum
from pyostree.formats.refspec import (
    check_collection_id,
    check_ref_name,
    check_remote_name,
    parse_refspec,
)

ALL_PARENTS = -1


class Wanted(NamedTuple):
    """A ref or commit to pull.

    Attributes:
        name: a ref, or without a collection the checksum of a commit.
        checksum: the commit to pull for the ref; None: the one the remote has.
        collection_id: collection that the ref belongs to; None: that of the remote.
    """

    name: str
    checksum: Checksum | None = None
    collection_id: str | None = None


class RefKeyring(NamedTuple):
    """Whose keys must have signed the commit of a collection's ref: those of remote `keyring`."""

    collection_id: str
    ref: str
    keyring: str


class PullOptions(NamedTuple):
    """Options of a pull; the defaults are those of ``ostree pull``.

    Attributes:
        depth: parents to follow; -1 for all.
        mirror: write local refs, as the remote has them, and with no ref named all of them.
        commit_only: only commit objects, without what they hold.
        subpaths: absolute paths to restrict the pull to; none: everything.
        is_untrusted: verify what a local source says, too.
        is_http_trusted: do not verify what comes over HTTP (mirror of an archive only).
        bare_user_files_only: refuse files whose mode has bits outside 0775.
        ref_remote: remote under which refs are stored; None: the one that is pulled from, or
            for a path: as local refs. What it demands of signatures, it demands of a ``file://``
            URL, too; of the path that `pull_local` gets only its keys count.
        url: used in place of the remote's URLs.
        localcache_repos: paths of repositories to look for objects in first.
        timestamp_check: refuse commits older than what the ref has now.
        timestamp_check_from: a revision that no pulled commit may be older than.
        check_bindings: refuse commits that were made for another ref or collection.
        gpg_verify: check signatures of commits; None: as the remote is configured, and not in
            `pull_local`.
        gpg_verify_summary: the same for the summary.
        disable_sign_verify: check no signatures of engines, of commits or of the summary, whatever
            is configured; `pull_local` does so in any case.
        ref_keyrings: keys to take in place of the remote's for the commits of some refs; a commit
            that is wanted for others, too, needs a signature by the keys of each.
        summary: the bytes of the remote's summary, which then is not fetched.
        summary_signature: likewise; not without `summary`.
        network_retries: further attempts of a request that failed.
        retry_all_errors: retry after any network error, not only after time-outs.
        low_speed_bytes: a transfer slower than this a second, for `low_speed_time_s`, fails.
        max_metadata_bytes: limit for one metadata object; 0 for none.
        max_requests: under way at the same time; None: as the remote is configured.
        max_bytes_per_s: of all transfers together; None or 0: as the remote is configured. The
            configured limit holds in any case.
        update_interval_ms: time between progress reports; 0 for the default.
    """

    depth: int = 0
    mirror: bool = False
    commit_only: bool = False
    subpaths: tuple[str, ...] = ()
    is_untrusted: bool = False
    is_http_trusted: bool = False
    bare_user_files_only: bool = False
    ref_remote: str | None = None
    url: str | None = None
    http_headers: tuple[tuple[str, str], ...] = ()
    user_agent_suffix: str | None = None
    localcache_repos: tuple[str, ...] = ()
    timestamp_check: bool = False
    timestamp_check_from: str | None = None
    check_bindings: bool = True
    gpg_verify: bool | None = None
    gpg_verify_summary: bool | None = None
    disable_sign_verify: bool = False
    ref_keyrings: tuple[RefKeyring, ...] = ()
    summary: bytes | None = None
    summary_signature: bytes | None = None
    disable_static_deltas: bool = False
    require_static_deltas: bool = False
    dry_run: bool = False
    disable_fsync: bool = False
    per_object_fsync: bool = False
    cache_dir: str | None = None
    network_retries: int = 5
    retry_all_errors: bool = True
    low_speed_bytes: int = 1000
    low_speed_time_s: int = 30
    max_metadata_bytes: int = MAX_METADATA_BYTES
    max_requests: int | None = None
    max_bytes_per_s: int | None = None
    update_interval_ms: int = 0


def check_options(options: PullOptions) -> None:
    """Refuse options that contradict each other or have an impossible value.

    Raises:
        ConflictError: they do.
        InvalidNameError: a name in `PullOptions.ref_keyrings` cannot be one.
    """
    if options.depth < ALL_PARENTS:
        raise ConflictError(f"Invalid depth {options.depth}: it must be -1 or more")
    for path in options.subpaths:
        if not path.startswith("/"):
            raise ConflictError(f"Invalid subpath {path}: it must start with /")
    if options.disable_static_deltas and options.require_static_deltas:
        raise ConflictError("Cannot both disable and require static deltas")
    if options.timestamp_check and options.depth != 0:
        raise ConflictError("Cannot check timestamps with a depth other than 0")
    if options.dry_run and not options.require_static_deltas:
        raise ConflictError("--dry-run requires --require-static-deltas")
    if options.summary_signature is not None and options.summary is None:
        raise ConflictError("A signature without its summary")
    _check_limits(options)
    for collection_id, ref, keyring in options.ref_keyrings:
        check_collection_id(collection_id)
        check_ref_name(ref)
        check_remote_name(keyring)


def _check_limits(options: PullOptions) -> None:
    if options.max_requests is not None and options.max_requests < 1:
        raise ConflictError(
            f"Invalid number of requests {options.max_requests}: it must be 1 or more"
        )
    if options.max_bytes_per_s is not None and options.max_bytes_per_s < 0:
        raise ConflictError(f"Invalid limit of bytes per second {options.max_bytes_per_s}")


def parse_wanted(remote: str, branches: Sequence[str]) -> tuple[str, list[Wanted]]:
    """Return the remote and what to pull from it, as ``ostree pull`` takes them.

    Args:
        remote: a remote, or ``REMOTE:REF``; `branches` are ignored then.
        branches: each a ref, ``REF@CHECKSUM`` or the checksum of a commit.

    Raises:
        InvalidNameError: a bad refspec or checksum.
    """
    if ":" in remote:
        refspec = parse_refspec(remote)
        assert refspec.remote is not None
        return refspec.remote, [Wanted(refspec.ref)]
    wanted = []
    for branch in branches:
        name, at, checksum = branch.rpartition("@")
        wanted.append(Wanted(name, parse_checksum(checksum)) if at else Wanted(branch))
    return remote, wanted


def parse_header(text: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``.

    Raises:
        ConflictError: there is no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ConflictError("Missing '=' in --http-header")
    return name, value
