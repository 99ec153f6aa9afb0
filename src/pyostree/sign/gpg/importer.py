"""Adding public keys to a keyring file: old format, plain OpenPGP packets one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from pyostree.errors import NotFoundError, OstreeError, doing
from pyostree.fs.dir import Dir
from pyostree.fs.tempdir import private_directory
from pyostree.sign.gpg.keyrings import MAX_KEYRING_BYTES
from pyostree.sign.gpg.keys import MIN_ID_LENGTH
from pyostree.sign.gpg.program import HOME_PREFIX, KEYRING, run_private
from pyostree.sign.gpg.status import parse_import_count
from pyostree.sign.gpg.verifier import list_keys


class ImportedKeys(NamedTuple):
    """The new keyring, and how many of its keys are new."""

    keyring: bytes
    new_keys: int


def import_keys(keyring: bytes, source: bytes, key_ids: Sequence[str] = ()) -> ImportedKeys:
    """Return `keyring` with the keys of `source` merged into it.

    Args:
        keyring: empty for a new one.
        source: keys, binary or armored.
        key_ids: take only these; none: all.

    Raises:
        NotFoundError: `source` has no key, or not the one asked for.
        OstreeError: GnuPG refuses a key; nothing is imported then.
    """
    chosen = _export(source, key_ids)
    with private_directory(HOME_PREFIX) as home:
        home.create_file(KEYRING, keyring, mode=0o600)
        output = run_private(home, ["--import"], chosen)
        considered, new_keys = parse_import_count(output.lines())
        if output.status != 0 or not considered:  # so it is with a keyring that is none
            err = OstreeError(f"Failed to import keys: {output.reason}")
            err.hint = "the remote's keyring must be binary; remove it if it is damaged"
            raise err
        return ImportedKeys(home.read_file(KEYRING, max_bytes=MAX_KEYRING_BYTES), new_keys)


def read_key_file(path: str) -> bytes:
    """Return the content of a file with keys.

    Raises:
        OSError: it cannot be read.
    """
    try:
        parent, name = Dir.above(path)
        with parent:
            return parent.read_file(name, max_bytes=MAX_KEYRING_BYTES)
    except OSError as err:
        err.__notes__ = [f"Error opening file {path}"]
        raise


def read_keys(stream: BinaryIO) -> bytes:
    """Return the content of a stream with keys.

    Raises:
        OstreeError: there is too much of it.
    """
    keys = stream.read(MAX_KEYRING_BYTES + 1)
    if len(keys) > MAX_KEYRING_BYTES:
        raise OstreeError(f"More than {MAX_KEYRING_BYTES} bytes of keys")
    return keys


def _export(source: bytes, key_ids: Sequence[str]) -> bytes:
    """Return the keys of `source` that are wanted, in binary form."""
    with ExitStack() as stack:
        with doing("Unable to configure context"):
            home = stack.enter_context(private_directory(HOME_PREFIX))
        home.create_file(KEYRING, b"", mode=0o600)
        run_private(home, ["--import"], source)
        fingerprints = [_find(home, key_id) for key_id in key_ids]
        exported = "exported"
        run_private(home, [f"--output={home.label}/{exported}", "--export", "--", *fingerprints])
        if not home.is_file(exported, follow=False):
            raise NotFoundError("Unable to export keys: GPGME: No data")
        return home.read_file(exported, max_bytes=MAX_KEYRING_BYTES)


def _find(home: Dir, key_id: str) -> str:
    """Return the fingerprint of the one key in a home that an id or user id names."""
    is_short = len(key_id) < MIN_ID_LENGTH
    found = set() if is_short else {key.primary.fingerprint for key in list_keys(home, key_id)}
    if len(found) == 1:
        return found.pop()
    why = "Invalid value" if is_short else "Ambiguous name" if found else "End of file"
    raise NotFoundError(f'Unable to find key "{key_id}": GPGME: {why}')
