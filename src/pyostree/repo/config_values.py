"""Single values of a repository's configuration, read and refused as the reference does."""

from __future__ import annotations

import enum

from pyostree.errors import ConfigError
from pyostree.formats.keyfile import KeyFile

# The lock timeouts that are no number of seconds.
WAIT_FOREVER = -1
NO_LOCKING = -2
_DEFAULT_FREE_PERCENT = 3
_MAX_FREE_PERCENT = 99
_DEFAULT_TMP_EXPIRY_S = 86400
_DEFAULT_LOCK_TIMEOUT_S = 300
_UNITS_SHIFT = {"MB": 20, "GB": 30, "TB": 40}
_U64_MAX = (1 << 64) - 1
NO_PAYLOAD_LINKS = _U64_MAX
_MAX_DIGITS = 25
_FINDERS = ("config", "lan", "mount")
_BOOTLOADERS = ("auto", "none", "grub2", "syslinux", "uboot", "zipl", "aboot")
_MAX_BOOT_TRIES = 5


class Tristate(enum.Enum):
    """A feature that is switched off, used where it works, or demanded."""

    NO = enum.auto()
    MAYBE = enum.auto()
    YES = enum.auto()


_TRISTATES = {
    "yes": Tristate.YES,
    "true": Tristate.YES,
    "1": Tristate.YES,
    "maybe": Tristate.MAYBE,
    "no": Tristate.NO,
    "false": Tristate.NO,
    "0": Tristate.NO,
}


def tmp_expiry(text: str | None) -> int:
    """Return after how many seconds a file in ``tmp/`` is rubbish."""
    return _number(text, _DEFAULT_TMP_EXPIRY_S)


def _number(text: str | None, default: int) -> int:
    """Return the leading digits of `text` the way strtoull reads them; no digits are 0."""
    if text is None:
        return default
    digits = text.strip()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    digits = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    # More digits than any 64-bit number has; Python refuses to convert thousands of them.
    return sign * min(int(digits[:_MAX_DIGITS]), _U64_MAX) if digits else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def lock_timeout(text: str | None) -> int:
    """Return how many seconds to wait for a lock, `WAIT_FOREVER` or `NO_LOCKING`.

    Raises:
        ConfigError: a lower number.
    """
    seconds = _number(text, _DEFAULT_LOCK_TIMEOUT_S)
    if seconds < NO_LOCKING:
        raise ConfigError(f"Invalid lock-timeout-secs '{text}'")
    return seconds


def zlib_level(text: str | None) -> int:
    """Return the deflate level of mode archive, 1 to 9."""
    return min(max(_number(text, 6), 1), 9)


def payload_link_min(text: str | None) -> int:
    """Return the size in bytes from which on files share their content; a huge one for never."""
    return _number(text, -1) & _U64_MAX


def free_bytes(keyfile: KeyFile) -> int | None:
    """Return the bytes that must stay free; None where nothing is said.

    Raises:
        ConfigError: no number with a unit, or too large.
    """
    text = keyfile.get_raw("core", "min-free-space-size")
    if text is None:
        return None
    number, unit = text[:-2], text[-2:]
    if unit not in _UNITS_SHIFT or not _is_number(number):
        raise ConfigError(
            f"Invalid min-free-space-size '{text}': "
            "It should be of the format '123MB', '123GB' or '123TB'"
        )
    value = int(number) << _UNITS_SHIFT[unit]
    if value > _U64_MAX:
        raise ConfigError(f"Invalid min-free-space-size '{text}': Value was too high")
    return value


def free_percent(keyfile: KeyFile) -> int:
    """Return the part of the disk that must stay free, in percent.

    Raises:
        ConfigError: no number, or none from 0 to 99.
    """
    text = keyfile.get_raw("core", "min-free-space-percent")
    if text is None:
        return 0 if keyfile.has_key("core", "min-free-space-size") else _DEFAULT_FREE_PERCENT
    digits = text.lstrip()
    if not _is_number(digits[1:] if digits[:1] in ("+", "-") else digits):
        raise ConfigError(f"Invalid min-free-space-percent '{text}': must be a number")
    percent = _number(text, 0)
    if not 0 <= percent <= _MAX_FREE_PERCENT:
        raise ConfigError(f"Invalid min-free-space-percent '{text}'")
    return percent


def fsverity(keyfile: KeyFile) -> Tristate:
    """Return whether objects are sealed by fs-verity; composefs needs that where it works.

    Raises:
        ConfigError: no such value.
    """
    found = _tristate(keyfile, "fsverity", Tristate.NO)
    if not keyfile.has_key("ex-integrity", "fsverity"):
        found = Tristate.NO if _wants_composefs(keyfile) is Tristate.NO else Tristate.MAYBE
    is_required = keyfile.get_boolean("ex-fsverity", "required", False)
    is_opportunistic = keyfile.get_boolean("ex-fsverity", "opportunistic", False)
    if found is not Tristate.NO:
        return found
    if is_required:
        return Tristate.YES
    return Tristate.MAYBE if is_opportunistic else Tristate.NO


def check_composefs(keyfile: KeyFile) -> None:
    """Raise `ConfigError` where composefs is demanded, which this version cannot make."""
    if _wants_composefs(keyfile) is Tristate.YES:
        raise ConfigError("composefs required, but libostree compiled without support")


def _wants_composefs(keyfile: KeyFile) -> Tristate:
    return _tristate(keyfile, "composefs", Tristate.NO)


def _tristate(keyfile: KeyFile, key: str, default: Tristate) -> Tristate:
    text = keyfile.get_raw("ex-integrity", key)
    if text is None:
        return default
    if text not in _TRISTATES:
        raise ConfigError(f"Invalid tri-state value: {text}")
    return _TRISTATES[text]


def check_finders(keyfile: KeyFile) -> None:
    """Raise `ConfigError` unless the ways of finding repositories are known ones."""
    finders = keyfile.get_list("core", "default-repo-finders")
    if finders is None:
        return
    if not finders:
        raise ConfigError("Invalid empty default-repo-finders configuration")
    for finder in finders:
        if finder not in _FINDERS:
            raise ConfigError(f"Invalid configured repo-finder '{finder}'")


def check_sysroot(keyfile: KeyFile) -> None:
    """Raise `ConfigError` for what no sysroot with this repository could work with."""
    bootloader = keyfile.get_raw("sysroot", "bootloader")
    if bootloader is not None and bootloader not in _BOOTLOADERS:
        raise ConfigError(f"Invalid bootloader configuration: '{bootloader}'")
    excepted = keyfile.get_list("sysroot", "bls-append-except-default") or ()
    if any("=" not in pair for pair in excepted):
        raise ConfigError(
            'bls-append-except-default key must be of the form "key1=value1;key2=value2..."'
        )
    tries = keyfile.get_raw("sysroot", "boot-counting-tries")
    if tries is not None and _number(tries, 0) not in range(_MAX_BOOT_TRIES + 1):
        raise ConfigError(
            f"Parsing sysroot.boot-counting-tries: Number “{tries}” is out of bounds "
            f"[0, {_MAX_BOOT_TRIES}]"
        )
    keyfile.get_boolean("sysroot", "bootprefix", False)
    keyfile.get_boolean("sysroot", "readonly", False)
