"""The text of ``ostree --version``."""

from __future__ import annotations

_COMPATIBLE_VERSION = "2026.5"  # the release of the reference whose behaviour we follow

# The reference's words for optional parts; scripts grep for them, so a word stands here only when
# the part works in this build.
_FEATURES = (
    "ex-fsverity",
    "gpgme",
    "inode64",
    "libarchive",
    "libcurl",
    "p2p",
    "release",
    "selinux",
    "sign-ed25519",
    "sign-spki",
)


def version_text() -> str:
    """Return the version block, which is valid YAML."""
    features = "".join(f"  - {feature}\n" for feature in _FEATURES)
    return f"libostree:\n Version: '{_COMPATIBLE_VERSION}'\n Features:\n{features}"
