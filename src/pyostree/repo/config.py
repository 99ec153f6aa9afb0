"""The repository's ``config``: parsed once into a frozen record, rewritten only on request."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyostree.errors import ConfigError, FormatError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import check_collection_id
from pyostree.repo import config_values as values
from pyostree.repo.config_values import NO_LOCKING, WAIT_FOREVER, Tristate
from pyostree.repo.modes import RepoMode, parse_mode

__all__ = [
    "CONFIG_NAME",
    "NO_LOCKING",
    "WAIT_FOREVER",
    "RepoConfig",
    "Tristate",
    "interpret_config",
    "parse_config",
]

CONFIG_NAME = "config"


class RepoConfig(NamedTuple):
    """Settings of one repository.

    Attributes:
        lock_timeout_s: seconds to wait for a lock; -1 for ever, -2 no locking at all.
        min_free_bytes: space to keep free, or None when `min_free_percent` applies.
        fsverity: whether objects are sealed by fs-verity; ``MAYBE`` where the kernel can.
        parent: absolute path of the parent repository.
        payload_link_min_bytes: files of this size are stored once whatever their metadata.
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
    min_free_percent: int
    fsverity: Tristate
    collection_id: str | None
    parent: str | None
    adds_to_remotes_dir: bool
    payload_link_min_bytes: int

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
    expiry = values.tmp_expiry(keyfile.get_raw("core", "tmp-expiry-secs"))
    locking = keyfile.get_boolean("core", "locking", True)
    timeout = values.lock_timeout(keyfile.get_raw("core", "lock-timeout-secs"))
    level = values.zlib_level(keyfile.get_raw("archive", "zlib-level"))
    free_bytes = values.free_bytes(keyfile)
    percent = values.free_percent(keyfile)
    fsverity = values.fsverity(keyfile)
    values.check_composefs(keyfile)
    collection_id = keyfile.get_raw("core", "collection-id")
    if collection_id is not None:
        check_collection_id(collection_id)
    parent = keyfile.get_raw("core", "parent")
    adds_to_remotes_dir = keyfile.get_boolean("core", "add-remotes-config-dir", True)
    link_min = values.payload_link_min(keyfile.get_raw("core", "payload-link-threshold"))
    values.check_finders(keyfile)
    values.check_sysroot(keyfile)
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
        min_free_percent=percent,
        fsverity=fsverity,
        collection_id=collection_id,
        parent=os.path.abspath(parent) if parent else None,
        adds_to_remotes_dir=adds_to_remotes_dir,
        payload_link_min_bytes=link_min,
    )
