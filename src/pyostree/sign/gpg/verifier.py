"""Verifying detached signatures in a private GnuPG home that holds only the keys given."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from pyostree.closing import Closing
from pyostree.errors import FormatError, VerificationError, doing
from pyostree.formats.openpgp import count_signatures, dearmor
from pyostree.fs.dir import Dir
from pyostree.fs.tempdir import private_directory
from pyostree.sign.engine import Success
from pyostree.sign.gpg.copies import require_copies
from pyostree.sign.gpg.keyrings import MAX_KEYRING_BYTES, Keyrings
from pyostree.sign.gpg.keys import MIN_ID_LENGTH, Key, parse_keys
from pyostree.sign.gpg.program import HOME_PREFIX, KEYRING, run_private
from pyostree.sign.gpg.result import (
    METADATA_KEY,
    NO_SIGNATURES,
    GpgSignature,
    describe,
    require_valid,
    with_key,
)
from pyostree.sign.gpg.session import Session
from pyostree.sign.gpg.status import SignatureStatus, has_word, parse_status

_MAX_SIGNATURES = 1000
_MAX_SIGNATURE_BYTES = 4 << 20
_NO_DATA = "Unable to complete signature verification: GPGME: No data"


class GpgVerifier(Closing):
    """Verifies with a fixed set of keys; a context manager.

    The home is made when it is first needed, so that a verifier which is never asked costs nothing.
    """

    def __init__(self, keyrings: Keyrings) -> None:
        self._keyrings = keyrings
        self._opened = ExitStack()
        self._home: Dir | None = None
        self._session: Session | None = None
        self._keys: tuple[Key, ...] | None = None
        self._unread: str | None = None
        self._merged: tuple[Key, ...] | None = None

    def close(self) -> None:
        """Remove the home."""
        self._home = self._session = None
        self._opened.close()

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are kept that it verifies."""
        return METADATA_KEY

    def check(self, data: bytes, signatures: tuple[bytes, ...] | None) -> Success:
        """Return the descriptions of all signatures of `data`, one of which is valid at least.

        Raises:
            VerificationError: none is.
        """
        if signatures is None:
            raise VerificationError(NO_SIGNATURES)
        found = self.verify(data, signatures)
        require_valid(found)
        valid = next(one for one in found if one.is_valid)
        fingerprint = bytes.fromhex(valid.status.fingerprint)
        return Success("".join(map(describe, found)), "gpg", fingerprint)

    def verify(self, data: bytes, signatures: Sequence[bytes]) -> tuple[GpgSignature, ...]:
        """Return what is to be said about each signature of `data`.

        Raises:
            VerificationError: there is no signature at all, or something that is none, or there are
                keys that cannot be read.
        """
        with doing("GPG"):
            packets, count = _join(signatures)
            home = self._open_home()
            found: tuple[SignatureStatus, ...] = ()
            if self._session is not None:  # what is verified once needs no process that waits
                found = self._session.confirm(packets, data, count)
            else:
                self._session = self._opened.enter_context(Session(home))
            found = found or _verify_alone(home, packets, data, count)
            if any(status.is_valid for status in found):
                self._require_all_keys()
            return tuple(map(self._with_key, found))

    def list_keys(self) -> tuple[Key, ...]:
        """Return all keys that count."""
        if self._keys is None:
            self._keys, self._unread = _list_keys(self._open_home())
        return self._keys

    def _require_all_keys(self) -> None:
        # After the damage there may be a copy of the same key, with its revocation.
        self.list_keys()
        if self._unread is not None:
            raise VerificationError(f"Not all trusted keys can be read: {self._unread}")

    def _with_key(self, status: SignatureStatus) -> GpgSignature:
        keys = self.list_keys()
        return with_key(require_copies(status, keys, self._merge_keys), keys)

    def _merge_keys(self) -> tuple[Key, ...]:
        if self._merged is None:
            content = self._open_home().read_file(KEYRING, max_bytes=2 * MAX_KEYRING_BYTES)
            with private_directory(HOME_PREFIX) as home:
                home.create_file(KEYRING, b"", mode=0o600)
                _import(home, (content,))
                self._merged = list_keys(home)
        return self._merged

    def find_primary(self, key_id: str) -> str | None:
        """Return the primary fingerprint of the one key that an id or user id names."""
        if len(key_id) < MIN_ID_LENGTH:
            return None
        # The same key may be in several keyrings.
        found = {key.primary.fingerprint for key in list_keys(self._open_home(), key_id)}
        return found.pop() if len(found) == 1 else None

    def _open_home(self) -> Dir:
        if self._home is None:
            home = self._opened.enter_context(private_directory(HOME_PREFIX))
            home.create_file(KEYRING, b"".join(self._keyrings.streams), mode=0o600)
            _import(home, self._keyrings.imports)
            self._home = home
        return self._home


def _import(home: Dir, files: Sequence[bytes]) -> None:
    """Add keys, binary or armored, to a home; a file without any does no harm.

    Raises:
        VerificationError: gpg has not read them all; what is missing may be a revocation.
    """
    names = [f"keys-{number}" for number in range(len(files))]
    for name, content in zip(names, files, strict=True):
        home.create_file(name, content, mode=0o600)
    if names:
        output = run_private(home, ["--import", "--", *(f"{home.label}/{name}" for name in names)])
        if not has_word(output.lines(), "IMPORT_RES"):
            raise VerificationError(f"Failed to import keys: {output.reason}")
    for name in names:
        home.remove(name)


def list_keys(home: Dir, *key_ids: str) -> tuple[Key, ...]:
    """Return the public keys in a home of ours, or those that are named."""
    return _list_keys(home, *key_ids)[0]


def _list_keys(home: Dir, *key_ids: str) -> tuple[tuple[Key, ...], str | None]:
    """Return the same, and why there may be more; None when gpg has seen nothing wrong."""
    arguments = ["--with-colons", "--fixed-list-mode", "--list-keys", "--", *key_ids]
    output = run_private(home, arguments)
    return parse_keys(output.lines()), output.reason if output.status else None


def _verify_alone(
    home: Dir, packets: bytes, data: bytes, count: int
) -> tuple[SignatureStatus, ...]:
    """Return what one gpg says of `count` signatures of `data`."""
    home.replace_file("data", data, mode=0o600, sync=False)
    home.replace_file("signature", packets, mode=0o600, sync=False)
    path = home.label
    output = run_private(home, ["--verify", "--", f"{path}/signature", f"{path}/data"])
    lines = output.lines()
    found = parse_status(lines)
    if has_word(lines, "NODATA"):
        raise VerificationError(_NO_DATA)
    if not has_word(lines, "NEWSIG") or len(found) > count:  # it stops at the first that is bad
        raise VerificationError(f"Unable to complete signature verification: {output.reason}")
    return found


def _join(signatures: Sequence[bytes]) -> tuple[bytes, int]:
    if sum(map(len, signatures)) > _MAX_SIGNATURE_BYTES:
        raise VerificationError(f"More than {_MAX_SIGNATURE_BYTES} bytes of signatures")
    try:
        packets = b"".join(map(dearmor, signatures))
        count = count_signatures(packets)
    except FormatError as err:
        raise VerificationError(_NO_DATA) from err
    if count == 0:
        raise VerificationError(_NO_DATA)
    if count > _MAX_SIGNATURES:
        raise VerificationError(f"More than {_MAX_SIGNATURES} signatures")
    return packets, count
