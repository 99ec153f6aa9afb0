"""Whose keys count for which remote: as the reference has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gpg_place_lab import Place
from repo_lab import (
    must,
    ours,
    reference,
    write_files,
)

Arrange = Callable[["Place"], object]


def _keyrings(place: Place, *names: str) -> None:
    for name in names:
        place.trust(name, place.ring[0])


def _links(place: Place) -> None:
    (place.repo / "x.gpg").symlink_to(place.ring[0])
    place.trust_globally()
    (place.global_dir / "y.gpg").symlink_to(place.ring[1])


def _link_of_remote(place: Place) -> None:
    (place.repo / "o.trustedkeys.gpg").symlink_to(place.ring[0])


def _not_rings(place: Place) -> None:
    place.trust_globally()
    for name in ("secring.gpg", "trustdb.gpg", "x.kbx", "x.asc", "x.GPG"):
        shutil.copy(place.ring[0], place.global_dir / name)
    (place.global_dir / "d.gpg").mkdir()


def _key_box(place: Place) -> None:
    # Not by intention: it is GnuPG that looks what it really is.
    home = place.path / "kbx"
    home.mkdir(0o700)  # where GnuPG finds none, it makes a keybox
    words = ("gpg", f"--homedir={home}", "--batch", "--quiet", "--no-autostart", "--import")
    subprocess.run([*words, place.ring[0]], check=True, capture_output=True)
    place.trust("o.trustedkeys.gpg", home / "pubring.kbx")


def _with_path(*parts: Callable[[Place], object], between: str = ";") -> Arrange:
    return lambda place: place.set_key_path(between.join(str(part(place)) for part in parts))


def _ring(number: int) -> Callable[[Place], Path]:
    return lambda place: place.ring[number]


def _armored(number: int) -> Callable[[Place], Path]:
    return lambda place: place.armored[number]


def _directory(place: Place) -> Path:
    directory = place.path / "keys"
    write_files(directory, {"empty": "", "junk": "junk\n", "sub/key": place.ring[1].read_bytes()})
    shutil.copy(place.armored[0], directory / "a")
    (directory / "link").symlink_to(place.ring[1])
    return directory


def _global_beside_path(place: Place) -> None:
    place.trust_globally(place.ring[1])
    place.set_key_path(place.armored[0])


def _global_beside_keyring(place: Place) -> None:
    place.trust_globally(place.ring[1])
    place.trust("o.trustedkeys.gpg", place.ring[0])


def _empty_keyring(place: Place) -> None:
    place.trust_globally(*place.ring)
    place.trust("o.trustedkeys.gpg")


def _file_for_directory(place: Place) -> None:
    shutil.copy(place.ring[0], place.global_dir)


def _parent_keyring(place: Place) -> None:
    shutil.copy(place.ring[0], place.set_parent() / "o.trustedkeys.gpg")


def _parent_key_path(place: Place) -> None:
    place.set_parent(f"--set=gpgkeypath={place.armored[0]}")


def _key_path_of_remote_of_parent(place: Place) -> None:
    _parent_key_path(place)
    must(ours("remote", "delete", f"--repo={place.repo}", "o"))


def _damaged(place: Place) -> None:
    whole = place.ring[0].read_bytes()
    (place.repo / "o.trustedkeys.gpg").write_bytes(whole[:-100] + place.ring[1].read_bytes())


KEYRINGS: list[tuple[Arrange, str, str]] = [  # whose keys all remotes have, and remote o has
    (lambda place: None, "", ""),
    (lambda place: _keyrings(place, "o.trustedkeys.gpg"), "1", "1"),
    (lambda place: _keyrings(place, "p.trustedkeys.gpg"), "1", ""),
    (lambda place: _keyrings(place, "any.gpg"), "1", ""),
    (lambda place: _keyrings(place, "trustdb.gpg", "secring.gpg", "x.asc"), "", ""),
    (lambda place: place.trust("o.trustedkeys.gpg", *place.ring), "12", "12"),
    (lambda place: place.trust("o.trustedkeys.gpg", place.armored[0]), "", ""),
    (_key_box, "1", "1"),
    (lambda place: place.trust("o.trustedkeys.gpg", place.secret), "?", "?"),
    (_links, "", ""),
    (_link_of_remote, "", "1"),
    (_damaged, "", ""),
    (lambda place: place.trust_globally(place.ring[0]), "1", "1"),
    (lambda place: place.trust_globally(place.armored[0]), "", ""),
    (_not_rings, "", ""),
    (_file_for_directory, "", ""),
    (_global_beside_keyring, "12", "1"),
    (_empty_keyring, "12", ""),
    (_global_beside_path, "2", "12"),
    (_with_path(_armored(0)), "", "1"),
    (_with_path(_ring(0)), "", "1"),
    (_with_path(_armored(0), _ring(1)), "", "12"),
    (_with_path(_armored(0), _ring(1), lambda place: "", between=","), "", "12"),
    (_with_path(_directory), "", "1"),
    (_with_path(lambda place: place.secret), "", "1"),
    (_with_path(lambda place: ""), "", "!opendir(): No such file or directory"),
    (_with_path(_ring(0), lambda place: "", _ring(1)), "", "!opendir(): No such file or directory"),
    (_with_path(lambda place: "/none"), "", "!opendir(/none): No such file or directory"),
    (_with_path(lambda place: r"/a\sb"), "", r"!opendir(/a\sb): No such file or directory"),
    (
        _with_path(lambda place: "a;b,c"), "",
        "!key value list contains more than one separator",
    ),
    (_parent_keyring, "", "1"),
    (_parent_key_path, "", ""),
    (_key_path_of_remote_of_parent, "", "1"),
]  # fmt: skip
KEYRING_IDS = [
    "none", "of o", "of p", "of nobody", "not keyrings", "three keys", "armored", "keybox",
    "secret key", "links", "link of o", "damaged", "global", "global armored",
    "global not keyrings", "global file", "keyring beside global", "empty keyring beside global",
    "path beside global", "path armored", "path binary", "path list", "path trailing comma",
    "path directory", "path secret key", "path empty", "path empty entry", "path missing",
    "path escaped", "path mixed", "of parent", "path of parent", "path of remote of parent",
]  # fmt: skip


@pytest.mark.parametrize(("arrange", "all_keys", "own_keys"), KEYRINGS, ids=KEYRING_IDS)
def test_keys_that_count(place: Place, arrange: Arrange, all_keys: str, own_keys: str) -> None:
    arrange(place)
    for words, expected in (((), all_keys), (("--gpg-verify-remote=o",), own_keys)):
        full = ("show", f"--repo={place.repo}", *words, "main")
        result = ours(*full)
        assert result == reference(*full)
        if expected.startswith("!"):
            assert (result.status, result.err) == (1, f"error: {expected[1:]}\n")
        elif expected == "?":  # GnuPG gives up
            assert result.out.endswith("\nFound 0 signatures:\n")
        else:
            verdicts = re.findall("^  (Good|Can't)", result.out, re.MULTILINE)
            trusted = [str(at) for at, word in enumerate(verdicts, 1) if word == "Good"]
            assert "".join(trusted) == expected


@pytest.mark.parametrize("name", ["none", "", "../x"])
def test_unknown_remotes_have_no_keys(place: Place, name: str) -> None:
    shutil.copy(place.ring[0], place.path / "x.trustedkeys.gpg")
    for words in (
        ("show", f"--gpg-verify-remote={name}", "main"),
        ("remote", "gpg-list-keys", name),
    ):
        full = (*words[:-1], f"--repo={place.repo}", words[-1])
        assert ours(*full) == reference(*full)


def test_home_counts_unless_a_remote_is_named(place: Place) -> None:
    home = f"--gpg-homedir={place.path}/home"
    base = ("show", f"--repo={place.repo}", home)
    missing = ours(*base, "main")
    assert missing == reference(*base, "main")
    assert missing.err == f"error: opendir({place.path}/home): No such file or directory\n"
    (place.path / "home").mkdir()
    shutil.copy(place.ring[0], place.path / "home/any.gpg")
    for words in (("main",), ("--gpg-verify-remote=o", "main")):
        shown = ours(*base, *words)
        assert shown == reference(*base, *words)
        assert ("Good" in shown.out) == (len(words) == 1)
