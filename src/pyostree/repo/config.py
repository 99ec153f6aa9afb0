"""The repository's ``config``: parsed once into a frozen record, rewritten only on request."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import ConfigError, FormatError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.repo.modes import RepoMode, parse_mode

CONFIG_NAME = "config"
_DEFAULT_FREE_PERCENT = 3
_MAX_FREE_PERCENT = 99
_DEFAULT_TMP_EXPIRY_S = 86400
_DEFAULT_LOCK_TIMEOUT_S = 300
# The lock timeouts that are no number of seconds.
WAIT_FOREVER = -1
NO_LOCKING = -2
_UNITS_SHIFT = {"MB": 20, "GB": 30, "TB": 40}
_U64_MAX = (1 << 64) - 1
_MAX_DIGITS = 25
_FINDERS = ("config", "lan", "mount")
_TRISTATES = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}
_BOOTLOADERS = ("auto", "none", "grub2", "syslinux", "uboot", "zipl", "aboot")
_MAX_BOOT_TRIES = 5


class RepoConfig(NamedTuple):
    """Settings of one repository.

    Attributes:
        lock_timeout_s: seconds to wait for a lock; -1 for ever, -2 no locking at all.
        min_free_bytes: space to keep free, or None when `min_free_percent` applies.
        parent: path of the parent repository.
    """

    keyfile: KeyFile
    mode: RepoMode
    fsync: bool
    per_object_fsync: bool
    disable_xattrs: bool
    uncompressed_cache: bool
    tmp_expiry_s: int
    locking: bool
    lock_timeout_s: int
    zlib_level: int
    min_free_bytes: int | None
    min_free_text: str
    min_free_percent: int
    collection_id: str | None
    parent: str | None

    def tombstone_commits(self) -> bool:
        """Whether deleting a commit leaves a tombstone."""
        return self.keyfile.get_boolean("core", "tombstone-commits", False)

    def auto_update_summary(self) -> bool:
        """Whether the summary follows every change of refs."""
        return self.keyfile.get_boolean(
            "core", "auto-update-summary", False
        ) or self.keyfile.get_boolean("core", "commit-update-summary", False)


def parse_config(text: bytes) -> RepoConfig:
    """Return the settings that the text of a ``config`` file gives.

    Raises:
        ConfigError: a wrong value, in the reference's words.
        FormatError: no key file, or a required key is missing.
    """
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8") from None
    with doing("Couldn't parse config file"):
        keyfile = KeyFile.parse(text)
    return interpret_config(keyfile)


def interpret_config(keyfile: KeyFile) -> RepoConfig:
    """Return the settings that a key file gives (errors as `parse_config`)."""
    # The order of the checks decides which of several errors is reported.
    version = keyfile.require_string("core", "repo_version")
    if version != "1":
        raise ConfigError(f"Invalid repository version '{version}'")
    if keyfile.get_boolean("core", "archive", False):
        raise ConfigError(
            'This version of OSTree no longer supports "archive" repositories; '
            "use archive-z2 instead"
        )
    mode_text = keyfile.get_raw("core", "mode")
    mode = RepoMode.BARE if mode_text is None else parse_mode(mode_text)
    cache = keyfile.get_boolean("core", "enable-uncompressed-cache", True)
    fsync = keyfile.get_boolean("core", "fsync", True)
    per_object = keyfile.get_boolean("core", "per-object-fsync", False)
    no_xattrs = keyfile.get_boolean("core", "disable-xattrs", False)
    expiry = _number(keyfile.get_raw("core", "tmp-expiry-secs"), _DEFAULT_TMP_EXPIRY_S)
    locking = keyfile.get_boolean("core", "locking", True)
    timeout = _lock_timeout(keyfile.get_raw("core", "lock-timeout-secs"))
    level = _zlib_level(keyfile.get_raw("archive", "zlib-level"))
    free_text = keyfile.get_raw("core", "min-free-space-size") or ""
    free_bytes = _free_bytes(free_text) if free_text else None
    percent = _free_percent(keyfile, size_is_set=bool(free_text))
    _check_integrity(keyfile)
    _check_finders(keyfile)
    _check_sysroot(keyfile)
    return RepoConfig(
        keyfile=keyfile,
        mode=mode,
        fsync=fsync,
        per_object_fsync=per_object,
        disable_xattrs=no_xattrs,
        uncompressed_cache=cache,
        tmp_expiry_s=expiry,
        locking=locking,
        lock_timeout_s=timeout,
        zlib_level=level,
        min_free_bytes=free_bytes or None,
        min_free_text=free_text,
        min_free_percent=percent,
        collection_id=keyfile.get_raw("core", "collection-id"),
        parent=keyfile.get_raw("core", "parent") or None,
    )


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


def _lock_timeout(text: str | None) -> int:
    seconds = _number(text, _DEFAULT_LOCK_TIMEOUT_S)
    if seconds < NO_LOCKING:
        raise ConfigError(f"Invalid lock-timeout-secs '{text}'")
    return seconds


def _zlib_level(text: str | None) -> int:
    return min(max(_number(text, 6), 1), 9)


def _free_bytes(text: str) -> int:
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


def _free_percent(keyfile: KeyFile, *, size_is_set: bool) -> int:
    text = keyfile.get_raw("core", "min-free-space-percent")
    if text is None:
        return 0 if size_is_set else _DEFAULT_FREE_PERCENT
    if not _is_number(text):
        raise ConfigError(f"Invalid min-free-space-percent '{text}': must be a number")
    if int(text) > _MAX_FREE_PERCENT:
        raise ConfigError(f"Invalid min-free-space-percent '{text}'")
    return int(text)


def _check_integrity(keyfile: KeyFile) -> None:
    for key in ("composefs", "fsverity"):
        text = keyfile.get_raw("ex-integrity", key)
        if text is not None and text != "maybe" and text not in _TRISTATES:
            raise ConfigError(f"Invalid tri-state value: {text}")
        if text is not None and _TRISTATES.get(text) == "yes":
            raise ConfigError(f"{key} required, but libostree compiled without support")
    if keyfile.get_boolean("ex-fsverity", "required", False):
        raise ConfigError("fsverity required, but libostree compiled without support")


def _check_finders(keyfile: KeyFile) -> None:
    finders = keyfile.get_list("core", "default-repo-finders")
    if finders is None:
        return
    if not finders:
        raise ConfigError("Invalid empty default-repo-finders configuration")
    for finder in finders:
        if finder not in _FINDERS:
            raise ConfigError(f"Invalid configured repo-finder '{finder}'")


def _check_sysroot(keyfile: KeyFile) -> None:
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
