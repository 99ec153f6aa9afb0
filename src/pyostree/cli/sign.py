"""``ostree sign COMMIT [KEY...]``: sign a commit with keys of an engine, or verify it.

``--generate-key`` makes a new key instead; that option is ours, and needs no repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import RepoUnlessNeed
from pyostree.cli.options import UsageError, filename, flag, positional, positionals, text

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "COMMIT KEY-ID..."
NEEDS = RepoUnlessNeed("generate_key")
OPTIONS = (
    # Accepted only: the reference, too, signs instead.
    flag("delete", "d", help="Ignored; gpg-sign removes signatures, this command does not"),
    flag("verify", help="Verify the signatures"),
    text("sign-type", "s", metavar="NAME", help="Kind of signature (default: ed25519)"),
    text("keys-file", metavar="NAME", help="Read keys from a file"),
    text("keys-dir", metavar="NAME", help="Verify with the trusted and revoked keys below it"),
    filename(
        "generate-key",
        metavar="FILE",
        help="Write a new secret key to a new FILE, and print its public key",
    ),
    positional("commit"),
    positionals("keys"),
)


class Args(NamedTuple):
    """Values of the options."""

    delete: bool
    verify: bool
    sign_type: str | None
    keys_file: str | None
    keys_dir: str | None
    generate_key: str | None
    commit: str | None
    keys: tuple[str, ...]


def run(args: Args, repo: Repo | None, out: TextIO) -> None:
    """Sign with each key in turn, or print which key has signed; or make a new key."""
    from pyostree.sign.by_engine import sign_with_engine, verify_with_engine
    from pyostree.sign.engine import DEFAULT_ENGINE

    if repo is None:
        _generate_key(args, out)
        return
    if args.commit is None:
        raise UsageError("Need a COMMIT to sign or verify", spaced=False)
    if not (args.verify or args.keys or args.keys_file is not None):
        raise UsageError("Need at least one KEY-ID to sign with", spaced=False)
    checksum = repo.resolve(args.commit)
    engine_name = DEFAULT_ENGINE if args.sign_type is None else args.sign_type
    if not args.verify:
        sign_with_engine(repo, checksum, engine_name, args.keys, args.keys_file)
        return
    said = verify_with_engine(
        repo, checksum, engine_name, args.keys, keys_file=args.keys_file, keys_dir=args.keys_dir
    )
    print(said, file=out)


def _generate_key(args: Args, out: TextIO) -> None:
    from pyostree.api.keys import SigningKey
    from pyostree.sign.engine import DEFAULT_ENGINE

    assert args.generate_key is not None
    others = args._replace(generate_key=None, sign_type=None)
    if any(value not in (None, False, ()) for value in others):
        raise UsageError("--generate-key takes no COMMIT and no option but --sign-type")
    key = SigningKey.generate(DEFAULT_ENGINE if args.sign_type is None else args.sign_type)
    key.write(args.generate_key)
    print(key.public_key.text, file=out)
