"""The repository's configuration: defaults, units, and which of several errors is reported."""

from __future__ import annotations

import pytest

from pyostree.errors import ConfigError, FormatError, OstreeError, describe
from pyostree.repo.config import RepoConfig, parse_config
from pyostree.repo.modes import RepoMode


def parsed(*lines: str) -> RepoConfig:
    return parse_config("\n".join(["[core]", "repo_version=1", *lines, ""]).encode())


def test_defaults() -> None:
    config = parsed()
    assert config.mode is RepoMode.BARE
    assert config.fsync
    assert not config.per_object_fsync
    assert not config.disable_xattrs
    assert config.uncompressed_cache
    assert config.tmp_expiry_s == 86400
    assert config.locking
    assert config.lock_timeout_s == 300
    assert config.zlib_level == 6
    assert (config.min_free_bytes, config.min_free_percent) == (None, 3)
    assert (config.collection_id, config.parent) == (None, None)
    assert not config.tombstone_commits()
    assert not config.auto_update_summary()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("mode=archive", "mode", RepoMode.ARCHIVE),
        ("fsync=false", "fsync", False),
        ("fsync=0", "fsync", False),
        ("per-object-fsync=true", "per_object_fsync", True),
        ("disable-xattrs=1", "disable_xattrs", True),
        ("enable-uncompressed-cache=false", "uncompressed_cache", False),
        ("tmp-expiry-secs=5", "tmp_expiry_s", 5),
        ("tmp-expiry-secs=5x", "tmp_expiry_s", 5),
        ("tmp-expiry-secs=x", "tmp_expiry_s", 0),
        ("locking=false", "locking", False),
        ("lock-timeout-secs=-1", "lock_timeout_s", -1),
        ("lock-timeout-secs=-2", "lock_timeout_s", -2),
        ("lock-timeout-secs=0", "lock_timeout_s", 0),
        ("lock-timeout-secs=soon", "lock_timeout_s", 0),
        ("min-free-space-size=1MB", "min_free_bytes", 1 << 20),
        ("min-free-space-size=2GB", "min_free_bytes", 2 << 30),
        ("min-free-space-size=3TB", "min_free_bytes", 3 << 40),
        ("min-free-space-size=0MB", "min_free_bytes", None),
        ("min-free-space-size=1MB", "min_free_percent", 0),
        ("min-free-space-percent=0", "min_free_percent", 0),
        ("min-free-space-percent=99", "min_free_percent", 99),
        ("collection-id=org.example.A", "collection_id", "org.example.A"),
        ("parent=/some/where", "parent", "/some/where"),
        ("[archive]\nzlib-level=9", "zlib_level", 9),
        ("[archive]\nzlib-level=99", "zlib_level", 9),
        ("[archive]\nzlib-level=0", "zlib_level", 1),
        ("[archive]\nzlib-level=-5", "zlib_level", 1),
        ("[archive]\nzlib-level=best", "zlib_level", 1),
    ],
)
def test_setting(line: str, field: str, value: object) -> None:
    assert getattr(parsed(line), field) == value


def test_size_wins_over_percent() -> None:
    config = parsed("min-free-space-size=7MB", "min-free-space-percent=50")
    assert config.min_free_bytes == 7 << 20


@pytest.mark.parametrize("key", ["auto-update-summary", "commit-update-summary"])
def test_summary_follows_refs_under_either_name(key: str) -> None:
    assert parsed(f"{key}=true").auto_update_summary()


def test_settings_read_when_used_report_bad_values_then() -> None:
    config = parsed("tombstone-commits=x", "auto-update-summary=x")
    for read in (config.tombstone_commits, config.auto_update_summary):
        with pytest.raises(OstreeError, match="has a value that cannot be interpreted"):
            read()


@pytest.mark.parametrize(
    "lines",
    [
        ["min-free-space-size=1.5GB"],
        ["min-free-space-size=MB"],
        ["min-free-space-size=1GBB"],
        ["min-free-space-size=1gb"],
        ["min-free-space-size=\uff11GB"],
        ["min-free-space-size=" + "9" * 5000 + "TB"],
        ["min-free-space-percent=" + "9" * 5000],
        ["min-free-space-percent="],
        ["lock-timeout-secs=-3"],
        ["default-repo-finders="],
        ["default-repo-finders=;"],
        ["[ex-integrity]\ncomposefs=x"],
        ["[sysroot]\nbls-append-except-default=novalue"],
        ["[sysroot]\nboot-counting-tries=6"],
    ],
    ids=lambda lines: lines[0][:40],
)
def test_bad_value_is_refused(lines: list[str]) -> None:
    with pytest.raises(ConfigError):
        parsed(*lines)


def test_order_of_checks_decides_which_error_is_reported() -> None:
    bad = ["fsync=x", "mode=x", "archive=true", "min-free-space-percent=100"]
    with pytest.raises(ConfigError, match="no longer supports"):
        parsed(*bad)
    with pytest.raises(ConfigError, match="Invalid mode"):
        parsed(*bad[:2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"garbage", "Couldn't parse config file: Key file contains line “garbage” which is not a "
                     "key-value pair, group, or comment"),
        (b"\xff", "Invalid UTF-8"),
        (b"", "Key file does not have group “core”"),
    ],
)  # fmt: skip
def test_text_that_is_no_configuration(text: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_config(text)
    assert describe(caught.value) == message
