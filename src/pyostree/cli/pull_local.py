"""``ostree pull-local SRC_REPO [REFS...]``: copy commits from a repository on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import flag, integer, positional, positionals, text

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "SRC_REPO [REFS...]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    flag("commit-metadata-only", help="Copy only the commit objects themselves"),
    text("remote", metavar="REMOTE", help="Store the refs as those of REMOTE"),
    flag("disable-fsync", help="Do not wait for data to reach the disk"),
    flag("per-object-fsync", help="Sync every object on its own"),
    flag("untrusted", help="Verify the checksums of what is copied"),
    flag("bareuseronly-files", help="Refuse files with mode bits outside 0775"),
    flag("require-static-deltas", help="Fail unless static deltas can be used"),
    flag("disable-static-deltas", help="Do not use static deltas"),
    flag("gpg-verify", help="Verify GPG signatures of commits (needs --remote)"),
    flag("gpg-verify-summary", help="Verify the GPG signature of the summary (needs --remote)"),
    flag("disable-verify-bindings", help="Do not check for which ref a commit was made"),
    integer("depth", metavar="DEPTH", default=0, help="Copy DEPTH parents too, -1 for all"),
    integer(
        "update-frequency", metavar="MS", default=0, help="Milliseconds between progress updates"
    ),
    flag("json", help="Print what happens as JSON, one object a line"),
    positional("source", missing="DESTINATION must be specified"),
    positionals("refs"),
)


class Args(NamedTuple):
    """What was given on the command line."""

    commit_metadata_only: bool
    remote: str | None
    disable_fsync: bool
    per_object_fsync: bool
    untrusted: bool
    bareuseronly_files: bool
    require_static_deltas: bool
    disable_static_deltas: bool
    gpg_verify: bool
    gpg_verify_summary: bool
    disable_verify_bindings: bool
    depth: int
    update_frequency: int
    json: bool
    source: str
    refs: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.cli.pull_status import PullStatus
    from pyostree.pull.from_path import pull_local
    from pyostree.pull.options import PullOptions, Wanted

    status = PullStatus(out, as_json=args.json)
    options = PullOptions(
        depth=args.depth,
        commit_only=args.commit_metadata_only,
        is_untrusted=args.untrusted,
        bare_user_files_only=args.bareuseronly_files,
        ref_remote=args.remote,
        check_bindings=not args.disable_verify_bindings,
        gpg_verify=args.gpg_verify,
        gpg_verify_summary=args.gpg_verify_summary,
        disable_static_deltas=args.disable_static_deltas,
        require_static_deltas=args.require_static_deltas,
        disable_fsync=args.disable_fsync,
        per_object_fsync=args.per_object_fsync,
        update_interval_ms=status.interval_ms(args.update_frequency),
    )
    wanted = [Wanted(name) for name in args.refs]
    with status:
        status.finish(pull_local(repo, args.source, wanted, options, status.report))
