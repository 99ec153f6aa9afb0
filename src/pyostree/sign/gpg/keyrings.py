"""Where the public keys come from that a verification may use."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from pyostree.fs.dir import Dir

TRUSTED_DIR = "/usr/share/ostree/trusted.gpg.d"
_TRUSTED_DIR_VARIABLE = "OSTREE_GPG_HOME"
_EXTENSION = ".gpg"
_NOT_KEYRINGS = ("trustdb.gpg", "secring.gpg")
MAX_KEYRING_BYTES = 64 << 20


class Keyrings(NamedTuple):
    """Public keys; every one of them is trusted.

    Attributes:
        streams: binary OpenPGP keys.
        imports: files to import, binary or armored; those without keys do no harm.
    """

    streams: tuple[bytes, ...] = ()
    imports: tuple[bytes, ...] = ()

    def __add__(self, other: object) -> Keyrings:
        """Return the keys of both."""
        if not isinstance(other, Keyrings):
            return NotImplemented
        return Keyrings(self.streams + other.streams, self.imports + other.imports)


def global_keyrings() -> Keyrings:
    """Return the keys trusted on this machine; the environment may name another directory.

    The variable is the one that every user of the reference has in scripts, so that it counts for
    the library as for the command.
    """
    path = os.environ.get(_TRUSTED_DIR_VARIABLE) or TRUSTED_DIR
    try:
        directory = Dir.at(path)
    except (FileNotFoundError, NotADirectoryError):
        return Keyrings()
    with directory:
        return keyrings_in(directory)


def home_keyrings(path: str) -> Keyrings:
    """Return the keyrings in a GnuPG home; ``pubring.kbx`` is none.

    Raises:
        OSError: it cannot be read, with the note ``opendir(PATH)``, PATH being absolute.
    """
    with _open(os.path.abspath(path)) as directory:
        return keyrings_in(directory)


def with_trusted(keyrings: Keyrings, homedir: str | None = None) -> Keyrings:
    """Return keys, the global ones and those of a GnuPG home."""
    keyrings += global_keyrings()
    return keyrings if homedir is None else keyrings + home_keyrings(homedir)


def keyrings_in(directory: Dir) -> Keyrings:
    """Return the ``*.gpg`` files of a directory; symbolic links do not count."""
    streams = []
    for name in sorted(directory.list()):
        if not name.endswith(_EXTENSION) or name in _NOT_KEYRINGS:
            continue
        if directory.is_file(name, follow=False):
            streams.append(read_keyring(directory, name))
    return Keyrings(tuple(streams))


def read_keyring(directory: Dir, name: str) -> bytes:
    """Return the content of a keyring."""
    return directory.read_file(name, max_bytes=MAX_KEYRING_BYTES)


def read_key_files(path: str) -> Keyrings:
    """Return the files that an entry of ``gpgkeypath`` stands for.

    Raises:
        OSError: there is nothing of that name, with the note ``opendir(PATH)``, or no file.
    """
    parent, name = _above(path)
    with parent:
        status = parent.try_stat(name, follow=False)
        if status is None or stat.S_ISDIR(status.st_mode):
            with _open(path) as directory:
                names = sorted(n for n in directory.list() if directory.is_file(n, follow=False))
                return Keyrings(imports=tuple(read_keyring(directory, name) for name in names))
        try:
            _check_opens(parent, name)
            return Keyrings(imports=(read_keyring(parent, name),))
        except OSError as err:
            err.__notes__ = [f"openat({path})", "GPG", "GPG"]
            raise


def _check_opens(parent: Dir, name: str) -> None:
    """Refuse a pipe, for whose other end nobody is to wait."""
    status = parent.try_stat(name, follow=True)
    if status is not None and stat.S_ISFIFO(status.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))


def _above(path: str) -> tuple[Dir, str]:
    """Return the directory that a path is in, and its name there."""
    try:
        return Dir.above(path)
    except OSError as err:
        err.__notes__ = [f"opendir({path})"]
        raise


def _open(path: str) -> Dir:
    try:
        return Dir.at(path)
    except OSError as err:
        err.__notes__ = [f"opendir({path})"]
        raise
