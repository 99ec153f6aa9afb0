"""``ostree remote gpg-list-keys [NAME]``: list the OpenPGP keys that are trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import positional

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo
    from pyostree.sign.gpg.keys import Key, SubKey, UserId

PARAMETERS = "NAME"
NEEDS = REPO
OPTIONS = (positional("name"),)

_INDENT = "  "


class Args(NamedTuple):
    """Values of the options."""

    name: str | None


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """List the keys of a remote, or those that count for all remotes without keys of their own."""
    from pyostree.remote.keyrings import list_trusted_keys

    for key in list_trusted_keys(repo, args.name):
        out.write("".join(f"{line}\n" for line in _key_lines(key)))


def _key_lines(key: Key) -> Iterator[str]:
    yield from _subkey_lines(key.primary, "Key")
    for user_id in key.user_ids:
        yield from _user_id_lines(user_id)
    for subkey in key.subkeys[1:]:
        for line in _subkey_lines(subkey, "Subkey"):
            yield f"{_INDENT}{line}"


def _subkey_lines(key: SubKey, label: str) -> Iterator[str]:
    from pyostree.sign.gpg.result import format_time, is_past

    yield f"{label}: {key.fingerprint}{_flags(key)}"
    yield f"{_INDENT}Created: {format_time(key.created)}"
    if key.expires:
        word = "Expired" if is_past(key.expires) else "Expires"
        yield f"{_INDENT}{word}: {format_time(key.expires)}"


def _user_id_lines(user_id: UserId) -> Iterator[str]:
    from pyostree.sign.gpg.directory import directory_urls

    yield f"{_INDENT}UID: {user_id.text}{_flags(user_id)}"
    advanced = direct = ""
    if user_id.address:
        advanced, direct = directory_urls(user_id.address)
    yield f"{_INDENT}Advanced update URL: {advanced}"
    yield f"{_INDENT}Direct update URL: {direct}"


def _flags(what: SubKey | UserId) -> str:
    revoked = " (revoked)" if what.validity == "r" else ""
    return f"{revoked} (invalid)" if what.validity == "i" else revoked
