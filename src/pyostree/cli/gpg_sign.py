"""``ostree gpg-sign COMMIT KEY-ID...``: sign a commit, or remove signatures from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, filename, flag, positional, positionals

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "COMMIT KEY-ID..."
NEEDS = REPO
OPTIONS = (
    flag("delete", "d", help="Remove the signatures that the keys have made"),
    filename("gpg-homedir", metavar="HOMEDIR", help="Where GPG looks for keys"),
    positional("commit"),
    positionals("key_ids"),
)


class Args(NamedTuple):
    """Values of the options."""

    delete: bool
    gpg_homedir: str | None
    commit: str | None
    key_ids: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Sign with each key in turn, or remove signatures."""
    from pyostree.sign.gpg.commits import delete_signatures, sign_commit
    from pyostree.sign.gpg.signer import GpgKey

    if args.commit is None:
        raise UsageError("Need a COMMIT to sign", spaced=False)
    if not args.key_ids:
        raise UsageError("Need at least one GPG KEY-ID to sign with", spaced=False)
    checksum = repo.resolve(args.commit)
    if args.delete:
        count = delete_signatures(repo, checksum, args.key_ids)
        print(f"Signatures deleted: {count}", file=out)
        return
    for key_id in args.key_ids:
        sign_commit(repo, checksum, GpgKey(key_id, args.gpg_homedir))
