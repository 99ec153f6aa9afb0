"""The policy tables in ``docs/formats/signatures.md`` are true: each row is run as it says.

A row is `` `name` `` | settings | what is offered | outcome. What a row means is in `policy_cases`;
how it ends is read from the page: ``taken``, ``shown: TEXT`` (the last lines of the output) or
``refused: TEXT``. A text in italics is one of the messages that the page lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from interop.policy_cases import CASES
from policy_lab import Case, Device, Vendor, key_in_messages, vendors
from repo_lab import Command, Result, ours, reference, refs_of

PAGE = Path(__file__).parents[2] / "docs/formats/signatures.md"
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \|.*\| ([^|]+) \|$", re.MULTILINE)
_MESSAGE = re.compile(r"^\| \*([^*|]+)\* \| (.+) \|$", re.MULTILINE)
_OUTCOME = re.compile(r"(taken|shown|refused)(?:: (?:\*([^*]+)\*|(`.+`)))?")


class Outcome(NamedTuple):
    """How a row ends; `text` may have ``...`` for anything."""

    verdict: str
    text: str


def read_outcomes() -> dict[str, Outcome]:
    """Return what the page says of each row."""
    page = PAGE.read_text().partition("\n## Case by case\n")[2]
    messages = dict(_MESSAGE.findall(page))
    found = {}
    for name, cell in _ROW.findall(page):
        parsed = _OUTCOME.fullmatch(cell.strip())
        assert parsed is not None, f"{name}: {cell}"
        verdict, message, text = parsed.groups()
        assert name not in found, f"{name} stands there twice"
        found[name] = Outcome(verdict, _plain(messages[message] if message else text or ""))
    return found


def _plain(cell: str) -> str:
    """Return the lines of a cell, which are code."""
    return "\n".join(re.findall(r"`(?:` ?)?(.+?)(?: ?`)?`(?:<br>|$)", cell))


OUTCOMES = read_outcomes()
MISCONFIGURED = (
    "gpg-unclear", "gpg-empty", "sign-no", "sign-unknown", "sign-partly-unknown",
    "sign-list-no-key", "sign-list-part-without-key", "dummy-file", "key-unusable",
    "key-unusable-true", "file-missing", "file-empty", "file-blank-line", "file-unusable",
    "file-missing-and-key", "system-and-list", "engine-summary-no-key", "engine-summary-unknown",
)  # fmt: skip
REFERENCE_TAKES = (
    "engine-summary-alone", "delta-demand-unsigned", "offline-unsigned-key",
    "offline-demand-unsigned",
)  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Vendor]]:
    with vendors(tmp_path_factory.mktemp("policy")) as made:
        yield made


def test_every_row_has_a_case_and_every_case_a_row() -> None:
    assert list(OUTCOMES) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_row_ends_as_the_page_says(
    name: str, published: dict[bool, Vendor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, outcome = CASES[name], OUTCOMES[name]
    device, result = _run(published, tmp_path / "ours", case, ours, monkeypatch)
    _check(outcome, device, result)
    if case.alike:
        other, expected = _run(published, tmp_path / "theirs", case, reference, monkeypatch)
        assert result.status == expected.status, expected.err
        if case.alike_text:
            assert _plain_err(device, result) == _plain_err(other, expected)


@pytest.mark.parametrize("name", REFERENCE_TAKES)
def test_what_the_reference_takes_is_as_the_page_says(
    name: str, published: dict[bool, Vendor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"`{name}`" in PAGE.read_text().partition("Four times we refuse")[2].partition(".")[0]
    assert OUTCOMES[name].verdict == "refused"
    _, result = _run(published, tmp_path / "theirs", CASES[name], reference, monkeypatch)
    assert result.status == 0, result.err


@pytest.mark.parametrize("name", MISCONFIGURED)
def test_wrong_configuration_is_told_before_the_server_is_asked(
    name: str, published: dict[bool, Vendor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = published[False].requests
    requests.clear()
    _, result = _run(published, tmp_path / "ours", CASES[name], ours, monkeypatch)
    assert result.status == 1
    assert not requests


def _run(
    published: dict[bool, Vendor],
    root: Path,
    case: Case,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Device, Result]:
    device = Device(published[case.collection], root, case, command)
    with monkeypatch.context() as patch:
        for variable, value in device.environment().items():
            patch.setenv(variable, value)
        case.before(device)
        before = _reachable(device)
        result = device.run()
    if command is ours and result.status != 0:
        assert _reachable(device) == before
    return device, result


def _plain_err(device: Device, result: Result) -> str:
    return result.err.replace(str(device.root), "DIR")


def _check(outcome: Outcome, device: Device, result: Result) -> None:
    pattern = _pattern(device, outcome.text)
    if outcome.verdict == "refused":
        assert result.status == 1, result.out
        assert re.fullmatch(f"error: {pattern}\n", result.err, re.DOTALL), result.err
        return
    assert result.status == 0, result.err
    assert re.search(f"(?:^|\n){pattern}\n?$", result.out, re.DOTALL), result.out
    assert (outcome.verdict == "taken") == (not outcome.text)
    if outcome.verdict == "shown":
        return
    checksum = device.checksum
    assert (device.repo / f"objects/{checksum[:2]}/{checksum[2:]}.commit").exists()
    if device.case.words.startswith("pull"):
        assert f"{checksum}\n" in refs_of(device.repo).values()


def _pattern(device: Device, text: str) -> str:
    """Return the regular expression that a text of the page stands for."""
    known = {
        "COMMIT": device.vendor.checksum,
        "DIR": str(device.root),
        "KEY": key_in_messages("ed25519"),
    }
    for word, meaning in known.items():
        text = re.sub(rf"\b{word}\b", meaning, text)
    return re.escape(text).replace(r"\.\.\.", ".*")


def _reachable(device: Device) -> dict[str, object]:
    """Return what a command must not touch that refuses something."""
    repo = device.repo
    patterns = ["*.trustedkeys*", "summary"]
    if not device.case.is_sound:
        patterns += ["objects/??/*.commit*", "state/*"]
    if not device.case.is_summary_sound:
        patterns.append("tmp/cache/summaries/*")
    files = [path for pattern in patterns for path in repo.glob(pattern)]
    entries = device.root.glob("sysroot/boot/loader/entries/*")
    return {
        "refs": refs_of(repo),
        "files": {str(path): path.read_bytes() for path in (*files, *entries)},
        "deployments": sorted(device.root.glob("sysroot/ostree/deploy/*/deploy/*")),
    }
