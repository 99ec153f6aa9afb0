"""What ``gpg --verify`` says on its status file descriptor.

Source: "Format of the --status-fd output" in GnuPG's doc/DETAILS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_PREFIX = "[GNUPG:] "
_DOCUMENT_CLASSES = ("00", "01")  # made over a file; other classes certify keys and the like
_RC_MISSING_KEY = "9"
_VERDICTS = ("GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG")
_OWN_SOURCE = "GPGME"
_SOURCES = {4: "GPG Agent", 5: "Pinentry", 6: "SCD"}  # as libgpg-error numbers them
_SOURCE_SHIFT = 24
_SOURCE_MASK = 0x7F
_TROUBLE = ("FAILURE", "ERROR", "NODATA", "UNEXPECTED", "BADARMOR", "DECRYPTION")
_ERRSIG_FIELDS = 6
_VALIDSIG_FIELDS = 10


class SignatureStatus(NamedTuple):
    """One signature, before the key is looked up.

    Attributes:
        fingerprint: of the signing (sub)key; only its id where gpg tells no more.
        primary: fingerprint of the primary key; empty when unknown.
        timestamp: seconds since 1970 when it was made, 0 when unknown; so `expires`, 0 for never.
        pubkey_algo: number of the algorithm, 0 when unknown; so `hash_algo`.
    """

    is_valid: bool = False
    is_expired: bool = False
    is_key_expired: bool = False
    is_key_revoked: bool = False
    is_key_missing: bool = False
    fingerprint: str = ""
    primary: str = ""
    timestamp: int = 0
    expires: int = 0
    pubkey_algo: int = 0
    hash_algo: int = 0


def parse_status(lines: Iterable[str]) -> tuple[SignatureStatus, ...]:
    """Return the signatures in order; one that gpg is not clear about is not valid.

    The last one does not count if gpg stopped before it said anything about it.
    """
    groups: list[dict[str, list[str]]] = []
    for line in lines:
        if not line.startswith(_PREFIX):
            continue
        keyword, *fields = line.removeprefix(_PREFIX).split(" ")
        if keyword == "NEWSIG":
            groups.append({})
        elif groups and (keyword in _VERDICTS or keyword == "VALIDSIG"):
            group = groups[-1]
            # Twice the same word is nothing gpg says: whatever made it, it proves nothing.
            group[keyword if keyword not in group else "BADSIG"] = fields
    if groups and not groups[-1]:
        del groups[-1]
    return tuple(_to_signature(group) for group in groups)


def has_word(lines: Iterable[str], keyword: str) -> bool:
    """Tell whether gpg has said something."""
    return any(line.split(" ")[:2] == [_PREFIX.strip(), keyword] for line in lines)


def confirmed_statuses(lines: Sequence[str], name: str, count: int) -> tuple[SignatureStatus, ...]:
    """Return the signatures of one file of several, nothing unless all is plainly well.

    Args:
        lines: what gpg has said since it was given the name.
        name: of the file.
        count: how many signatures are in it.
    """
    words = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)]
    starts = [word for word in words if word.startswith("FILE_START ")]
    if starts != [f"FILE_START 1 {name}"] or words[0] != starts[0] or words[-1] != "FILE_DONE":
        return ()
    if any(word.startswith(_TROUBLE) for word in words) or words.count("FILE_DONE") != 1:
        return ()
    found = parse_status(lines)
    is_plain = len(found) == count and all(one.is_valid or one.is_key_missing for one in found)
    return found if is_plain and any(one.is_valid for one in found) else ()


def parse_failure(lines: Iterable[str], reason: str) -> str:
    """Return why something could not be signed, in the form that GPGME gives it.

    Args:
        reason: gpg's last complaint, which ends with it.
    """
    source = _OWN_SOURCE
    for line in lines:
        keyword, *fields = line.removeprefix(_PREFIX).split(" ")
        if keyword == "FAILURE" and len(fields) > 1:
            number = _number(fields[1]) >> _SOURCE_SHIFT & _SOURCE_MASK
            source = _SOURCES.get(number, _OWN_SOURCE)
    return f"{source}: {reason.rpartition(': ')[2]}"


def parse_import_count(lines: Iterable[str]) -> tuple[int, int]:
    """Return how many keys an import has looked at and how many of them were new."""
    for line in lines:
        if line.startswith(f"{_PREFIX}IMPORT_RES "):
            fields = line.removeprefix(_PREFIX).split(" ")
            return _number(fields[1]), _number(fields[3])
    return 0, 0


def _to_signature(group: dict[str, list[str]]) -> SignatureStatus:
    verdicts = [word for word in _VERDICTS if word in group]
    valid = group.get("VALIDSIG")
    if len(verdicts) != 1 or not group[verdicts[0]]:
        return _bad(group)
    verdict, fields = verdicts[0], group[verdicts[0]]
    if verdict == "ERRSIG":
        return _error(fields)
    if verdict == "BADSIG" or valid is None or len(valid) < _VALIDSIG_FIELDS:
        return _bad(group)
    if valid[8] not in _DOCUMENT_CLASSES or not valid[0].endswith(fields[0]):
        return _bad(group)
    return SignatureStatus(
        is_valid=verdict == "GOODSIG",
        is_expired=verdict == "EXPSIG",
        is_key_expired=verdict == "EXPKEYSIG",
        is_key_revoked=verdict == "REVKEYSIG",
        fingerprint=valid[0],
        primary=valid[9],
        timestamp=_number(valid[2]),
        expires=_number(valid[3]),
        pubkey_algo=_number(valid[6]),
        hash_algo=_number(valid[7]),
    )


def _bad(group: dict[str, list[str]]) -> SignatureStatus:
    named = next((fields for fields in group.values() if fields), [""])
    return SignatureStatus(fingerprint=named[0])


def _error(fields: list[str]) -> SignatureStatus:
    if len(fields) < _ERRSIG_FIELDS:
        return SignatureStatus(fingerprint=fields[0])
    key_id, pubkey, digest, _, timestamp, code, *rest = fields
    known = rest[0] if rest and rest[0] != "-" else key_id
    return SignatureStatus(
        is_key_missing=code == _RC_MISSING_KEY,
        fingerprint=known,
        timestamp=_number(timestamp),
        pubkey_algo=_number(pubkey),
        hash_algo=_number(digest),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
