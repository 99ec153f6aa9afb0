"""``ostree pull REMOTE [BRANCH...]``: fetch commits from a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import (
    filename,
    filenames,
    flag,
    integer,
    positional,
    positionals,
    text,
    texts,
)

if TYPE_CHECKING:
    from pyostree.pull.options import PullOptions
    from pyostree.repo.repo import Repo

PARAMETERS = "REMOTE [BRANCH...]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    flag("commit-metadata-only", help="Fetch only the commit objects themselves"),
    filename("cache-dir", metavar="DIR", help="Keep summaries of remotes in DIR"),
    flag("disable-fsync", help="Do not wait for data to reach the disk"),
    flag("per-object-fsync", help="Sync every object on its own"),
    flag("disable-static-deltas", help="Do not use static deltas"),
    flag("require-static-deltas", help="Fail unless static deltas can be used"),
    flag("disable-retry-on-network-errors", help="Retry only after time-outs of the server"),
    flag("mirror", help="Write refs as the remote has them; without BRANCH all of them"),
    filenames("subpath", metavar="PATH", help="Fetch only what is below PATH"),
    flag("untrusted", help="Verify the checksums of local sources, too"),
    flag("http-trusted", help="Do not verify the checksums of what a mirror fetches"),
    flag("bareuseronly-files", help="Refuse files with mode bits outside 0775"),
    flag("dry-run", help="Only say what would be fetched (with --require-static-deltas)"),
    integer("depth", metavar="DEPTH", default=0, help="Fetch DEPTH parents too, -1 for all"),
    text("url", metavar="URL", help="Fetch from URL in place of the configured one"),
    texts("http-header", metavar="NAME=VALUE", help="Send this header with all requests"),
    integer(
        "update-frequency", metavar="MS", default=0, help="Milliseconds between progress updates"
    ),
    integer("network-retries", metavar="N", default=-1, help="Retry a request N times"),
    integer("low-speed-limit-bytes", metavar="N", help="Fewer bytes per second are too slow"),
    integer("low-speed-time-seconds", metavar="N", help="Fail after N seconds of low speed"),
    integer("max-outstanding-fetcher-requests", metavar="N", help="Send N requests at once"),
    integer("limit-rate", metavar="BYTES", help="Fetch at most BYTES per second"),
    filenames("localcache-repo", "L", metavar="REPO", help="Look for objects in REPO first"),
    flag("timestamp-check", "T", help="Refuse commits older than what is here"),
    text("timestamp-check-from-rev", metavar="REV", help="Refuse commits older than REV"),
    flag("disable-verify-bindings", help="Do not check for which ref a commit was made"),
    flag("json", help="Print what happens as JSON, one object a line"),
    text("append-user-agent", metavar="STRING", hidden=True, help="Add to the user agent"),
    positional("remote", missing="REMOTE must be specified"),
    positionals("branches"),
)


class Args(NamedTuple):
    """What was given on the command line."""

    commit_metadata_only: bool
    cache_dir: str | None
    disable_fsync: bool
    per_object_fsync: bool
    disable_static_deltas: bool
    require_static_deltas: bool
    disable_retry_on_network_errors: bool
    mirror: bool
    subpath: tuple[str, ...]
    untrusted: bool
    http_trusted: bool
    bareuseronly_files: bool
    dry_run: bool
    depth: int
    url: str | None
    http_header: tuple[str, ...]
    update_frequency: int
    network_retries: int
    low_speed_limit_bytes: int | None
    low_speed_time_seconds: int | None
    max_outstanding_fetcher_requests: int | None
    limit_rate: int | None
    localcache_repo: tuple[str, ...]
    timestamp_check: bool
    timestamp_check_from_rev: str | None
    disable_verify_bindings: bool
    json: bool
    append_user_agent: str | None
    remote: str
    branches: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.cli.pull_status import PullStatus
    from pyostree.pull.from_remote import pull
    from pyostree.pull.options import parse_wanted

    with PullStatus(out, as_json=args.json, shows_signatures=not args.dry_run) as status:
        remote, wanted = parse_wanted(args.remote, args.branches)
        options = _options(args, status.interval_ms(args.update_frequency))
        status.finish(pull(repo, remote, wanted, options, status.report))


def _options(args: Args, interval_ms: int) -> PullOptions:
    from pyostree.pull.options import PullOptions, parse_header

    options = PullOptions(
        depth=args.depth,
        mirror=args.mirror,
        commit_only=args.commit_metadata_only,
        subpaths=args.subpath,
        is_untrusted=args.untrusted,
        is_http_trusted=args.http_trusted,
        bare_user_files_only=args.bareuseronly_files,
        url=args.url,
        http_headers=tuple(parse_header(header) for header in args.http_header),
        user_agent_suffix=args.append_user_agent,
        localcache_repos=args.localcache_repo,
        timestamp_check=args.timestamp_check,
        timestamp_check_from=args.timestamp_check_from_rev,
        check_bindings=not args.disable_verify_bindings,
        disable_static_deltas=args.disable_static_deltas,
        require_static_deltas=args.require_static_deltas,
        dry_run=args.dry_run,
        disable_fsync=args.disable_fsync,
        per_object_fsync=args.per_object_fsync,
        cache_dir=args.cache_dir,
        retry_all_errors=not args.disable_retry_on_network_errors,
        max_requests=max(args.max_outstanding_fetcher_requests or 0, 0) or None,
        max_bytes_per_s=args.limit_rate,
        update_interval_ms=interval_ms,
    )
    if args.network_retries >= 0:
        options = options._replace(network_retries=args.network_retries)
    if args.low_speed_limit_bytes is not None:
        options = options._replace(low_speed_bytes=args.low_speed_limit_bytes)
    if args.low_speed_time_seconds is not None:
        options = options._replace(low_speed_time_s=args.low_speed_time_seconds)
    return options
