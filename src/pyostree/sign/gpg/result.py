"""The outcome of a verification: records, and the text that people get to see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from locale import D_T_FMT, nl_langinfo
from typing import NamedTuple

from pyostree.errors import VerificationError
from pyostree.sign.gpg.keys import Key
from pyostree.sign.gpg.status import SignatureStatus

METADATA_KEY = "ostree.gpgsigs"
NO_SIGNATURES = (
    "GPG verification enabled, but no signatures found "
    "(use gpg-verify=false in remote config to disable)"
)
UNKNOWN_NAME = "[unknown name]"
UNKNOWN_EMAIL = "[unknown email]"
_ID_DIGITS = 16
_PUBKEY_NAMES = {
    1: "RSA", 2: "RSA-E", 3: "RSA-S", 16: "ELG-E", 17: "DSA", 18: "ECDH", 19: "ECDSA", 20: "ELG",
    22: "EdDSA",
}  # fmt: skip
_HASH_NAMES = {
    1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224",
}  # fmt: skip


class GpgSignature(NamedTuple):
    """One signature and what is known of its key.

    Attributes:
        status: what gpg says of it.
        user_name: of the key's first user id; so `user_email`.
        key_expires: seconds since 1970 of the signing (sub)key, 0 for never or unknown.
        primary_expires: the same of the primary key.
    """

    status: SignatureStatus
    user_name: str = UNKNOWN_NAME
    user_email: str = UNKNOWN_EMAIL
    key_expires: int = 0
    primary_expires: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether the signature alone is reason to trust the data."""
        return self.status.is_valid

    @property
    def pubkey_algo_name(self) -> str:
        """Name of the public key algorithm."""
        return _PUBKEY_NAMES.get(self.status.pubkey_algo, UNKNOWN_NAME)

    @property
    def hash_algo_name(self) -> str:
        """Name of the digest."""
        return _HASH_NAMES.get(self.status.hash_algo, UNKNOWN_NAME)


def with_key(status: SignatureStatus, keys: Sequence[Key]) -> GpgSignature:
    """Return a signature together with what the keys tell of its maker."""
    for key in keys:
        found = key.find(status.fingerprint) if status.fingerprint else None
        if found is None:
            continue
        signature = GpgSignature(
            status._replace(primary=key.primary.fingerprint),
            # Of a bad signature gpg tells the id alone, which the reference finds no key by.
            key_expires=found.expires if found.fingerprint == status.fingerprint else 0,
            primary_expires=key.primary.expires,
        )
        if not key.user_ids:
            return signature
        user = key.user_ids[0]
        return signature._replace(user_name=user.name, user_email=user.email)
    return GpgSignature(status)


def describe(signature: GpgSignature, prefix: str = "") -> str:
    """Return the lines about a signature, each preceded by `prefix`."""
    return "".join(f"{prefix}{line}\n" for line in _lines(signature))


def describe_all(signatures: Sequence[GpgSignature], prefix: str = "  ") -> str:
    """Return the paragraphs about signatures, an empty line before each."""
    return "".join(f"\n{describe(signature, prefix)}" for signature in signatures)


def require_valid(signatures: Sequence[GpgSignature]) -> None:
    """Raise `VerificationError` unless at least one signature is valid."""
    if any(signature.is_valid for signature in signatures):
        return
    if not signatures:
        raise VerificationError("No GPG signatures found")
    text = "".join(describe(signature) for signature in reversed(signatures))
    raise VerificationError(text.removesuffix("\n"))


def _lines(signature: GpgSignature) -> list[str]:
    status = signature.status
    made = format_time(status.timestamp)
    if made is None:
        return [f"Can't check signature: timestamp {status.timestamp} is invalid"]
    key_id = status.fingerprint[-_ID_DIGITS:]
    lines = [f"Signature made {made} using {signature.pubkey_algo_name} key ID {key_id}"]
    lines.append(_verdict(signature))
    if status.is_key_missing:
        return lines
    is_subkey = status.fingerprint != status.primary
    if is_subkey:
        lines.append(f"Primary key ID {status.primary[-_ID_DIGITS:]}")
    lines += _expiry("Signature", status.expires, is_past=status.is_expired)
    # The words follow gpg's verdict, not the clock, for both keys: as in the reference.
    has_ended = status.is_key_expired
    lines += _expiry("Key", signature.key_expires, is_past=has_ended)
    if is_subkey:
        lines += _expiry("Primary key", signature.primary_expires, is_past=has_ended)
    return lines


def _verdict(signature: GpgSignature) -> str:
    status = signature.status
    if status.is_key_missing:
        return "Can't check signature: public key not found"
    user = f'"{signature.user_name} <{signature.user_email}>"'
    if status.is_valid:
        return f"Good signature from {user}"
    if status.is_key_revoked:
        return "Key revoked"
    if status.is_expired:
        return f"Expired signature from {user}"
    return f"BAD signature from {user}"


def _expiry(kind: str, timestamp: int, *, is_past: bool) -> list[str]:
    if timestamp <= 0:
        return []
    when = format_time(timestamp)
    if when is None:
        return [f"{kind} expiry timestamp ({timestamp}) is invalid"]
    return [f"{kind} {'expired' if is_past else 'expires'} {when}"]


def is_past(timestamp: int) -> bool:
    """Tell whether an expiry time, 0 for never, has come."""
    return 0 < timestamp <= time.time()


def format_time(timestamp: int, *, is_utc: bool = False) -> str | None:
    """Return a time in the form of the locale, None for one that cannot be shown."""
    try:
        parts = time.gmtime(timestamp) if is_utc else time.localtime(timestamp)
        # As GLib does it: numbers that are padded have a figure space before them.
        text = nl_langinfo(D_T_FMT).replace("%e", f"{parts.tm_mday:\u2007>2}")
        text = text.replace("%Z", "UTC") if is_utc else text  # the C library says GMT
        return time.strftime(text, parts)
    except (OverflowError, ValueError, OSError):
        return None
