"""``ostree checkout COMMIT [DESTINATION]``: turn a commit into a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import boolean, filename, flag, positionals, text

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "COMMIT [DESTINATION]"
NEEDS = REPO
OPTIONS = (
    flag("user-mode", "U", help="Set neither owners nor extended attributes"),
    flag("disable-cache", help="Do not use the cache of uncompressed objects"),
    filename("subpath", metavar="PATH", help="Check out only this directory or file"),
    flag("union", help="Keep existing directories, replace existing files"),
    flag("union-add", help="Keep existing directories and files, only add"),
    flag("union-identical", help="Keep existing directories, fail on differing files"),
    flag("whiteouts", help="Let .wh.NAME files delete NAME, as in container layers"),
    flag("process-passthrough-whiteouts", help="Make overlayfs whiteouts of .ostree-wh.NAME"),
    flag("allow-noent", help="Do nothing when the path does not exist"),
    flag("from-stdin", help="Read REVISION NUL PATH NUL pairs from standard input"),
    text("from-file", metavar="FILE", help="Read such pairs from FILE"),
    boolean("fsync", metavar="POLICY", help="Whether to sync data to the disk"),
    flag("require-hardlinks", "H", help="Fail instead of copying"),
    flag("force-copy-zerosized", "z", hidden=True, help="Never hard link empty files"),
    flag("force-copy", "C", help="Never hard link"),
    flag("bareuseronly-dirs", "M", help="Clear directory mode bits outside 0775"),
    filename("skip-list", metavar="FILE", help="File of paths to leave out"),
    filename(
        "selinux-policy", metavar="PATH", help="Label files by the policy of a root directory"
    ),
    text("selinux-prefix", metavar="PREFIX", help="Label files as if they were below PREFIX"),
    flag("composefs", help="Write an image for composefs instead (not in this build)"),
    flag("composefs-noverity", help="Write such an image without fs-verity digests"),
    positionals("arguments"),
)


class Args(NamedTuple):
    user_mode: bool
    disable_cache: bool
    subpath: str | None
    union: bool
    union_add: bool
    union_identical: bool
    whiteouts: bool
    process_passthrough_whiteouts: bool
    allow_noent: bool
    from_stdin: bool
    from_file: str | None
    fsync: bool | None
    require_hardlinks: bool
    force_copy_zerosized: bool
    force_copy: bool
    bareuseronly_dirs: bool
    skip_list: str | None
    selinux_policy: str | None
    selinux_prefix: str | None
    composefs: bool
    composefs_noverity: bool
    arguments: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    from pyostree.cli.options import UsageError
    from pyostree.cli.progress import shown_progress
    from pyostree.progress import watch_with
    from pyostree.repo import checkout_request as library

    request = library.CheckoutRequest(
        user_mode=args.user_mode,
        disable_cache=args.disable_cache,
        subpath=args.subpath,
        union=args.union,
        union_add=args.union_add,
        union_identical=args.union_identical,
        whiteouts=args.whiteouts,
        passthrough_whiteouts=args.process_passthrough_whiteouts,
        allow_missing=args.allow_noent,
        require_hardlinks=args.require_hardlinks,
        force_copy_empty=args.force_copy_zerosized,
        force_copy=args.force_copy,
        limit_dir_modes=args.bareuseronly_dirs,
        skip_list_path=args.skip_list,
        selinux_policy_path=args.selinux_policy,
        selinux_prefix=args.selinux_prefix,
    )
    if not args.arguments:
        raise UsageError("COMMIT must be specified")
    if args.fsync is False:
        repo.disable_fsync()
    commit = args.arguments[0]
    if args.composefs or args.composefs_noverity:
        library.refuse_composefs(repo, request, commit)
    with shown_progress() as show:
        watch = watch_with(show)
        if args.from_stdin or args.from_file is not None:
            library.checkout_many(repo, request, commit, args.from_file, watch)
        else:
            destination = args.arguments[1] if len(args.arguments) > 1 else commit
            library.checkout_one(repo, request, commit, destination, watch)
