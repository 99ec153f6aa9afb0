"""``prepare-root.conf`` of a deployment, as far as deploying depends on it."""

from __future__ import annotations

from pyostree.errors import ConfigError, UnsupportedError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.fs.resolve import is_file_in_root, read_file_in_root

# The second replaces the first as a whole.
_PATHS = ("usr/lib/ostree/prepare-root.conf", "etc/ostree/prepare-root.conf")
_MAX_BYTES = 1 << 20
_ENABLED = frozenset({"signed", "verity", "yes", "true", "1"})
_NOT_ENABLED = frozenset({"maybe", "no", "false", "0"})


def check_rootfs_config(deployment: Dir) -> None:
    """Raise unless a deployment asks only for what can be given to it.

    Raises:
        ConfigError: a wrong value, or settings that contradict.
        UnsupportedError: it must be booted through a composefs image.
    """
    with doing("Reading rootfs config"), doing("Parsing rootfs config"):
        config = _read(deployment)
        transient = config.get_boolean("root", "transient", False)
        if transient and config.get_boolean("root", "transient-ro", False):
            raise ConfigError("Cannot set both root.transient and root.transient-ro")
        enabled = config.get_string("composefs", "enabled") or "no"
        if enabled not in _ENABLED | _NOT_ENABLED:
            raise ConfigError(f"Invalid tri-state value: {enabled}")
    if enabled in _ENABLED:
        raise UnsupportedError("composefs: enabled at runtime, but support is not compiled in")


def _read(deployment: Dir) -> KeyFile:
    config = KeyFile()
    for path in _PATHS:
        if is_file_in_root(deployment, path):
            config = KeyFile.parse(read_file_in_root(deployment, path, max_bytes=_MAX_BYTES))
    return config
