"""What ``ostree remote add`` writes: options to the group that describes a remote."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import ConflictError, FormatError, UnsupportedError
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import check_remote_name
from pyostree.remote.remotes import Remotes
from pyostree.repo.remote_groups import remote_group
from pyostree.sign.engine import ENGINE_NAMES

_METALINK = "metalink="
_MAX_REMOTE_BYTES = 512 << 10  # files in remotes.d are read up to twice that size
_KEY_SOURCES = {"inline": "key", "file": "file"}


class IfExists(enum.Enum):
    """What to do when the remote exists."""

    FAIL = enum.auto()
    KEEP = enum.auto()
    REPLACE = enum.auto()


class NewRemote(NamedTuple):
    """A remote as a person describes it.

    Attributes:
        url: may begin with ``metalink=`` or ``mirrorlist=``.
        branches: refs pulled when none is named.
        options: further keys with their values as text.
        sign_verify: keys to trust, ``TYPE=inline:KEY`` or ``TYPE=file:PATH``.
    """

    name: str
    url: str | None = None
    branches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    gpg_verify: bool = True
    no_sign_verify: bool = False
    sign_verify: tuple[str, ...] = ()
    custom_backend: str | None = None
    contenturl: str | None = None
    collection_id: str | None = None


def add_remote(remotes: Remotes, new: NewRemote, if_exists: IfExists = IfExists.FAIL) -> None:
    """Configure a remote.

    Raises:
        OstreeError: bad name, bad key, or the remote exists.
    """
    verification = tuple(_verification(new))
    check_remote_name(new.name)
    group = _to_group(new, verification)
    _check_reads_back(group)
    if if_exists is IfExists.KEEP and remotes.has_own(new.name):
        return
    remotes.add(new.name, group, replace=if_exists is IfExists.REPLACE)


def parse_setting(text: str) -> tuple[str, str]:
    """Return key and value of ``KEY=VALUE``.

    Raises:
        FormatError: there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise FormatError("Missing '=' in KEY=VALUE for --set")
    return key, value


def _to_group(new: NewRemote, verification: Iterable[tuple[str, str]]) -> KeyFile:
    """Return the group, its keys in the reference's order."""
    result, group = KeyFile(), remote_group(new.name)
    url_key, url = "url", new.url
    if url is not None and url.startswith(_METALINK):
        url_key, url = "metalink", url.removeprefix(_METALINK)
    _set_if_given(result, group, url_key, url)
    if new.branches:
        result.set_list(group, "branches", new.branches)
    _set_if_given(result, group, "contenturl", new.contenturl)
    _set_if_given(result, group, "custom-backend", new.custom_backend)
    for key, value in (*new.options, *verification):
        result.set_string(group, key, value)
    _set_if_given(result, group, "collection-id", new.collection_id)
    return result


def _check_reads_back(written: KeyFile) -> None:
    """Raise `FormatError` for what a reader of the file would miss or misunderstand.

    The reference writes it, and loses a setting, or with bytes that are no UTF-8 the repository.
    """
    for group in written.groups():
        for key in written.keys(group):
            value = written.require_raw(group, key)
            if not _reads_back(group, key, value):
                raise FormatError(f"A configuration file cannot hold key {key!a} with this value")
    if len(written.encode()) > _MAX_REMOTE_BYTES:
        raise FormatError(f"A remote may have {_MAX_REMOTE_BYTES} bytes of settings")


def _reads_back(group: str, key: str, value: str) -> bool:
    try:
        line = f"[{group}]\n{key}={value}\n".encode().decode()
    except UnicodeEncodeError:
        return False
    return KeyFile.parse(line).get_raw(group, key) == value


def _set_if_given(result: KeyFile, group: str, key: str, value: str | None) -> None:
    if value is not None:
        result.set_string(group, key, value)


def _verification(new: NewRemote) -> Iterator[tuple[str, str]]:
    """Yield the keys that say which signatures are checked."""
    if not new.gpg_verify or new.no_sign_verify:
        yield "gpg-verify", "false"
    if new.no_sign_verify:
        if new.sign_verify:
            raise ConflictError("Cannot specify both --sign-verify and --no-sign-verify")
        yield "sign-verify", "false"
    if not new.sign_verify:
        return
    engines = []
    for spec in new.sign_verify:
        engine, equals, reference = spec.partition("=")
        if not equals:
            raise FormatError(f"Failed to parse KEYTYPE=[inline|file]:DATA in {spec}")
        if engine not in ENGINE_NAMES:
            raise UnsupportedError("Requested signature type is not implemented")
        source, colon, data = reference.partition(":")
        if source not in _KEY_SOURCES or not colon:
            raise FormatError(f"Invalid key reference {source}, expected inline|file")
        yield f"verification-{engine}-{_KEY_SOURCES[source]}", data
        engines.append(engine)
    yield "sign-verify", ",".join(engines)
