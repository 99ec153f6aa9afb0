"""``ostree create-usb MOUNT-PATH COLLECTION-ID REF...``: copy refs to a stick."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.collection_pairs import parse_pairs
from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, filename, flag, positional, positionals, text

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "MOUNT-PATH COLLECTION-ID REF [COLLECTION-ID REF...]"
NEEDS = REPO
OPTIONS = (
    flag("disable-fsync", help="Do not wait for data to reach the stick"),
    filename("destination-repo", metavar="DEST", help="Path of the repository on the stick"),
    text("commit", metavar="COMMIT", help="Copy this commit, of a single ref"),
    positional("mount_path", missing="A MOUNT-PATH must be specified"),
    positionals("pairs"),
)


class Args(NamedTuple):
    disable_fsync: bool
    destination_repo: str | None
    commit: str | None
    mount_path: str
    pairs: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Copy, and say so."""
    refs = parse_pairs(args.pairs)
    if args.commit is not None and len(refs) > 1:
        raise UsageError(
            "The --commit option can only be used when a single COLLECTION-ID REF pair is specified"
        )
    from pyostree.cli.found_pull import FoundPull
    from pyostree.formats.objects import parse_checksum
    from pyostree.pull.usb import DEFAULT_DESTINATION, DestinationError, UsbOptions, create_usb

    destination = args.destination_repo
    if destination is None:  # an empty one, as of an unset variable, is an error
        destination = DEFAULT_DESTINATION
    commit = None if args.commit is None else parse_checksum(args.commit)
    options = UsbOptions(destination, args.disable_fsync)
    with FoundPull(out) as status:
        try:
            create_usb(repo, args.mount_path, dict.fromkeys(refs, commit), options, status.report)
        except DestinationError as err:
            raise UsageError(str(err)) from err
    out.write(
        f"Copied {len(refs)}/{len(refs)} refs successfully from ‘{repo.path}’ to ‘{destination}’ "
        f"repository in ‘{args.mount_path}’.\n"
    )
