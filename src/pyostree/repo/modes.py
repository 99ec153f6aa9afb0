"""The modes of a repository: how it stores content objects."""

from __future__ import annotations

import enum

from pyostree.errors import ConfigError


class RepoMode(enum.Enum):
    """How content objects lie on the disk; the value is the text in the configuration."""

    BARE = "bare"
    ARCHIVE = "archive-z2"
    BARE_USER = "bare-user"
    BARE_USER_ONLY = "bare-user-only"
    BARE_SPLIT_XATTRS = "bare-split-xattrs"

    @property
    def is_bare(self) -> bool:
        """Whether content lies there uncompressed."""
        return self is not RepoMode.ARCHIVE

    @property
    def content_extension(self) -> str:
        """Extension of loose content objects."""
        return "filez" if self is RepoMode.ARCHIVE else "file"


def parse_mode(text: str) -> RepoMode:
    """Return the mode that a configuration or ``init --mode`` names.

    Raises:
        ConfigError: no such mode.
    """
    if text == "archive":
        return RepoMode.ARCHIVE
    try:
        return RepoMode(text)
    except ValueError:
        raise ConfigError(f"Invalid mode '{text}' in repository configuration") from None
