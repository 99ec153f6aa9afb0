"""`KeyedVerifier`: trying each trusted key on each signature, for engines of asymmetric keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyostree.errors import FormatError, VerificationError
from pyostree.sign.engine import Success
from pyostree.sign.trust import TrustedKeys, load_key_directories

if TYPE_CHECKING:
    from pyostree.sign.engine import Engine

# Tells whether a signature (its first argument) of data (its second) is that of one key.
Check = Callable[[bytes, bytes], bool]

_MAX_NAMED_KEYS = 3  # an error names no more than these
# Every attempt hashes all that is signed; who sends it may send any number of signatures.
_MAX_ATTEMPTS = 100_000
_MAX_HASHED_BYTES = 4 << 30


class KeyedVerifier:
    """Verifies with the keys given, or with those of this machine.

    Args:
        keys: None for those of this machine, which are read when there is something to verify.
        open_key: returns what checks signatures by a key; raises `VerificationError` when the key
            is none. It is called once for each key.
        check_form: raises `VerificationError` for a signature that no key can have made.
        normal: returns the one form of a key that may be written in several ways: revoked in one,
            it does not count in any. It raises `FormatError` for what is no key.
    """

    def __init__(
        self,
        engine: Engine,
        keys: TrustedKeys | None,
        open_key: Callable[[bytes], Check],
        check_form: Callable[[bytes], None] = lambda signature: None,
        normal: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._open_key = open_key
        self._check_form = check_form
        self._normal = normal
        self._usable: tuple[bytes, ...] | None = None
        self._opened: dict[bytes, Check] = {}

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are."""
        return self._engine.metadata_key

    def check(self, data: bytes, signatures: tuple[bytes, ...] | None) -> Success:
        """Return what is to be said of `data` that is signed well.

        Raises:
            VerificationError: no signature of `data` is good and by a trusted key.
            NotFoundError: there is no trusted key.
        """
        name = self._engine.name
        if signatures is None:
            raise VerificationError(f"{name}: commit have no signatures of my type")
        if self._keys is None:
            self._keys = load_key_directories(self._engine)
        keys = self._usable_keys(self._keys)
        self._check_cost(len(signatures) * len(keys), len(data))
        for signature in signatures:
            for key in keys:
                self._check_form(signature)
                if self._is_by(key, signature, data):
                    text = f"{name}: Signature verified successfully with key '{key.hex()}'"
                    return Success(text, name, key)
        raise VerificationError(f"{name}: {_failure(keys, len(signatures))}")

    def close(self) -> None:
        """Forget the keys."""
        self._opened.clear()

    def _check_cost(self, attempts: int, size: int) -> None:
        name = self._engine.name
        if attempts > _MAX_ATTEMPTS:
            raise VerificationError(f"{name}: More than {_MAX_ATTEMPTS} signatures times keys")
        if attempts * size > _MAX_HASHED_BYTES:
            raise VerificationError(
                f"{name}: {attempts} signatures times keys are too many for {size} bytes"
            )

    def _usable_keys(self, keys: TrustedKeys) -> tuple[bytes, ...]:
        if self._usable is None:
            try:
                self._usable = keys.usable(self._normal)
            except FormatError as err:
                raise VerificationError(f"{self._engine.name}: A revoked key: {err}") from None
        return self._usable

    def _is_by(self, key: bytes, signature: bytes, data: bytes) -> bool:
        if key not in self._opened:
            self._opened[key] = self._open_key(key)
        return self._opened[key](signature, data)


def _failure(keys: tuple[bytes, ...], signature_count: int) -> str:
    attempts = keys * signature_count
    if not attempts:
        return "no signatures found"
    if len(attempts) > _MAX_NAMED_KEYS:
        return f"Signature couldn't be verified; tried {len(attempts)} keys"
    named = "; ".join(f"key '{key.hex()}'" for key in attempts)
    return f"Signature couldn't be verified with: {named}"
