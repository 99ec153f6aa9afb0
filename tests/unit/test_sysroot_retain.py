"""Which deployments stay: the rules, as pictures of the list."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pyostree.formats.bls import BootEntry
from pyostree.formats.objects import Checksum
from pyostree.sysroot.deployment import Deployment, new_origin, with_pin
from pyostree.sysroot.retain import Retention, retain

PENDING = Retention(pending=True)
ROLLBACK = Retention(rollback=True)
BEHIND = Retention(not_default=True)


def make(text: str) -> Deployment:
    """Make a deployment from a digit, ``o`` before it: other stateroot, ``!`` after it: pinned."""
    origin = with_pin(new_origin("x"), pinned=text.endswith("!"))
    stateroot = "other" if text.startswith("o") else "os"
    serial = int(text.strip("o!"))
    return Deployment(stateroot, Checksum(bytes(32)), serial, "b", BootEntry(), origin=origin)


def show(one: Deployment) -> str:
    mark = "o" if one.stateroot == "other" else ""
    return f"{mark}{one.deployserial}{'!' if one.is_pinned else ''}"


@pytest.mark.parametrize(
    ("old", "booted", "merge", "retention", "expected"),
    [
        ("", "", "", Retention(), "9"),
        ("1", "", "1", Retention(), "9 1"),
        ("2 1", "", "2", Retention(), "9 2"),
        ("2 1", "1", "1", Retention(), "9 1"),
        ("2 1 0", "1", "1", Retention(), "9 1"),
        ("1 0 5 2!", "5", "5", PENDING, "9 1 0 5 2!"),
        ("3 1 0 5 2!", "5", "5", ROLLBACK._replace(not_default=True), "5 9 2!"),
        ("5 4 2!", "5", "5", Retention(), "9 5 2!"),
        ("2 o1 1", "", "2", Retention(), "9 2 o1"),
        ("2 1", "", "2", Retention(everything=True), "9 2 1"),
        ("2 1", "", "", PENDING, "9 2 1"),
        ("2 1", "", "", Retention(), "9"),
        ("3 2 1", "2", "2", ROLLBACK, "9 2 1"),
        ("3 2 1", "2", "2", BEHIND, "2 9"),
        ("o3 o1", "", "", BEHIND, "o3 o1 9"),
    ],
)
def test_retain(old: str, booted: str, merge: str, retention: Retention, expected: str) -> None:
    deployments = {text.strip("!"): make(text) for text in old.split()}
    sysroot = SimpleNamespace(
        deployments=tuple(deployments.values()), booted=deployments.get(booted)
    )
    kept = retain(sysroot, make("9"), deployments.get(merge), retention)  # type: ignore[arg-type]
    assert " ".join(map(show, kept)) == expected
