"""``static-delta verify DELTA [KEY...]``: verify the signatures of a static delta."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional, positionals
from pyostree.cli.public_keys import PUBLIC_KEY_OPTIONS
from pyostree.errors import OstreeError, UnsupportedError

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "STATIC-DELTA-FILE [KEY-ID...]"
NEEDS = REPO
OPTIONS = (
    *PUBLIC_KEY_OPTIONS,
    positional("delta", missing="DELTA must be specified", plain=True),
    positionals("keys"),
)


class Args(NamedTuple):
    """What was given on the command line."""

    sign_type: str | None
    keys_file: str | None
    keys_dir: str | None
    delta: str
    keys: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print whether a trusted key has signed the delta."""
    from pyostree.delta.signatures import DeltaKeys
    from pyostree.delta.superblock_file import verify_delta

    keys = DeltaKeys(args.sign_type, args.keys, args.keys_file, args.keys_dir)
    try:
        keys.find_engine()
    except UnsupportedError:
        print("Sign-type not supported", file=out)
        raise
    with closing(keys.open_verifier()) as verifier:
        try:
            verify_delta(repo, args.delta, verifier)
        except (OstreeError, OSError):
            print("Verification fails", file=out)
            raise
    print("Verification OK", file=out)
