"""Public keys that are trusted, and revoked, by files of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import (
    ConfigError,
    FormatError,
    NotFoundError,
    OstreeError,
    UnsupportedError,
    doing,
)
from pyostree.fs.dir import Dir
from pyostree.sign.key_files import read_key_file

if TYPE_CHECKING:
    from pyostree.sign.engine import Engine

SYSTEM_DIRS = ("/etc/ostree", "/usr/share/ostree")
_MAX_KEY_FILES = 10_000


class NoKeyFilesError(NotFoundError):
    """Nobody has put keys of an engine there; files that are there and useless are another case."""


class TrustedKeys(NamedTuple):
    """Public keys of one engine.

    Attributes:
        trusted: in the order in which they were loaded.
        revoked: these never count.
    """

    trusted: tuple[bytes, ...] = ()
    revoked: frozenset[bytes] = frozenset()

    def usable(self, normal: Callable[[bytes], bytes] = bytes) -> tuple[bytes, ...]:
        """Return the keys that count, the last loaded first.

        Args:
            normal: returns the one form of a key that may be written in several ways; raises
                `FormatError` for what is no key.

        Raises:
            FormatError: what was to be revoked is no key.
        """
        unique = dict.fromkeys(self.trusted)
        if not self.revoked:
            return tuple(reversed(unique))
        revoked = set(map(normal, self.revoked))
        return tuple(key for key in reversed(unique) if not {key, _or_same(normal, key)} & revoked)

    def with_key(self, key: bytes) -> TrustedKeys:
        """Return these and one more."""
        return self._replace(trusted=(*self.trusted, key))

    def with_first(self, keys: tuple[bytes, ...]) -> TrustedKeys:
        """Return these and others, as if the others had been loaded before."""
        return self._replace(trusted=(*keys, *self.trusted))


def _or_same(normal: Callable[[bytes], bytes], key: bytes) -> bytes:
    try:
        return normal(key)
    except FormatError:
        return key  # it is told of when it is used


def load_key_file(engine: Engine, path: str) -> TrustedKeys:
    """Return the keys of one file, all of them trusted.

    Raises:
        FormatError: it is not a file of keys, or there is none in it.
        NotFoundError: it is no regular file.
        UnsupportedError: keys of this engine are not kept in files.
        OSError: it cannot be read.
    """
    engine.read_public_keys(b"")  # raises at once where no file can hold keys
    keys, error = _sound_keys(engine, read_key_file(path))
    if error is not None:
        raise error
    if not keys:
        raise FormatError(f"signature: {engine.name}: no valid keys in file '{path}'")
    return TrustedKeys(keys)


def load_key_directories(engine: Engine, basedir: str | None = None) -> TrustedKeys:
    """Return the keys that ``trusted.ENGINE`` and ``trusted.ENGINE.d`` hold, and the revoked ones.

    A file that cannot be read as one of keys does not keep others from being trusted.

    Args:
        basedir: where to look; None: in the directories of this machine.

    Raises:
        NoKeyFilesError: there is no file.
        NotFoundError: no file gives a key.
        UnsupportedError: keys of this engine are not kept in files.
        OstreeError, OSError: a file of revoked keys cannot be read, or holds something else.
    """
    engine.read_public_keys(b"")  # raises at once where no file can hold keys
    bases = SYSTEM_DIRS if basedir is None else (basedir,)
    trusted: list[bytes] = []
    is_any_sound = False
    no_keys: type[NotFoundError] = NoKeyFilesError
    for path in _iter_paths(bases, f"trusted.{engine.name}"):
        no_keys = NotFoundError
        try:
            keys, error = _sound_keys(engine, read_key_file(path))
        except (NotFoundError, OSError):
            continue
        trusted += keys
        is_any_sound = is_any_sound or (error is None and bool(keys))
    if not is_any_sound:
        raise no_keys(f"signature: {engine.name}: no keys loaded")
    return TrustedKeys(tuple(trusted), _load_revoked(engine, bases))


def _load_revoked(engine: Engine, bases: tuple[str, ...]) -> frozenset[bytes]:
    """Return the keys that do not count; a file that does not tell all of them is an error.

    The reference passes over such a file, and with it over the keys that someone meant to revoke.
    """
    revoked: set[bytes] = set()
    for path in _iter_paths(bases, f"revoked.{engine.name}"):
        with doing(f"Reading revoked keys from {path}"):
            for key in engine.read_public_keys(read_key_file(path)):
                engine.check_public_key(key)
                revoked.add(key)
    return frozenset(revoked)


def _sound_keys(engine: Engine, content: bytes) -> tuple[tuple[bytes, ...], OstreeError | None]:
    """Return the keys in a file, and why it does not count as a sound one.

    A line that is no key does no harm beside one that is.
    """
    keys: list[bytes] = []
    wrong: OstreeError | None = None
    try:
        for key in engine.read_public_keys(content):
            try:
                engine.check_public_key(key)
            except FormatError as err:
                err.add_note(f"{engine.name}: unable to read from NULL key-data input stream")
                wrong = err
            else:
                keys.append(key)
    except (FormatError, UnsupportedError) as err:
        return tuple(keys), err
    return tuple(keys), None if keys else wrong


def _iter_paths(bases: tuple[str, ...], name: str) -> Iterator[str]:
    """Give what there is: `name` in each directory, and all in ``NAME.d``.

    A link that leads nowhere is there too: it must not hide keys that are revoked.
    """
    for base in bases:
        try:
            directory = Dir.at(base)
        except FileNotFoundError:
            continue
        with directory:
            found = [name] if directory.exists(name) else []
            found += _list(directory, f"{name}.d")
        for path in found:
            yield f"{base}/{path}"


def _list(parent: Dir, name: str) -> list[str]:
    """Return what is in a directory; what cannot be listed is itself the only file."""
    if not parent.exists(name):
        return []
    try:
        with parent.open_dir(name) as directory:
            names = directory.list()
    except OSError:
        return [name]
    if len(names) > _MAX_KEY_FILES:
        raise ConfigError(f"More than {_MAX_KEY_FILES} files in {parent.label}/{name}")
    return [f"{name}/{entry}" for entry in sorted(names)]
