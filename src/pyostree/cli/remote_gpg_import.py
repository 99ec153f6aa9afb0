"""``ostree remote gpg-import NAME [KEY-ID...]``: trust OpenPGP keys for a remote."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import UsageError, filenames, flag, positional, positionals

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME [KEY-ID...]"
NEEDS = REPO
OPTIONS = (
    filenames("keyring", "k", metavar="FILE", help="Import the keys in FILE"),
    flag("stdin", help="Import the keys on standard input"),
    positional("name", missing="NAME must be specified"),
    positionals("key_ids"),
)


class Args(NamedTuple):
    """Values of the options."""

    keyring: tuple[str, ...]
    stdin: bool
    name: str
    key_ids: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Import the keys."""
    if args.stdin and args.keyring:
        raise UsageError("--keyring and --stdin are mutually exclusive")
    if args.stdin:
        from pyostree.sign.gpg.importer import read_keys

        _import(repo, args.name, read_keys(sys.stdin.buffer), args.key_ids, out)
    else:
        import_files(repo, args.name, args.keyring, out, args.key_ids)


def import_files(
    repo: Repo, name: str, paths: Sequence[str], out: TextIO, key_ids: Sequence[str] = ()
) -> None:
    """Import the keys in files, and say how many were new."""
    from pyostree.sign.gpg.importer import read_key_file

    sources = [read_key_file(os.path.abspath(path)) for path in paths]  # errors say where
    _import(repo, name, b"".join(sources), key_ids, out)


def _import(repo: Repo, name: str, source: bytes, key_ids: Sequence[str], out: TextIO) -> None:
    from pyostree.remote.keyrings import import_remote_keys

    count = import_remote_keys(repo, name, source, key_ids)
    noun = "key" if count == 1 else "keys"
    print(f'Imported {count} GPG {noun} to remote "{name}"', file=out)
