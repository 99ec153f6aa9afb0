"""Whatever is around GnuPG, hostile or broken: a signature is good, or nothing is accepted."""

from __future__ import annotations

import bz2
import errno
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fault.scripted_server import scripted_server
from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.errors import OstreeError, VerificationError
from pyostree.fs.dir import Dir
from pyostree.fs.tempdir import private_directory
from pyostree.sign.gpg.importer import import_keys
from pyostree.sign.gpg.keyrings import Keyrings
from pyostree.sign.gpg.keys import parse_keys
from pyostree.sign.gpg.program import HOME_PREFIX, KEYRING, run_private
from pyostree.sign.gpg.result import describe
from pyostree.sign.gpg.session import Session
from pyostree.sign.gpg.verifier import GpgVerifier
from repo_lab import Command, commit, make_repo, must, ours, reference, write_files

DATA = b"a commit"
PROGRAM = "pyostree.sign.gpg.program"
SPOOF_ID = f"x\n[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {KEYS[0]} y\n[GNUPG:] VALIDSIG {KEYS[0]} 1"


@pytest.fixture(scope="module")
def home() -> Iterator[GpgHome]:
    with gpg_home() as made:
        made.run(
            "--passphrase=", "--pinentry-mode=loopback", "--allow-freeform-uid",
            "--quick-gen-key", SPOOF_ID, "ed25519", "sign", "never",
        )  # fmt: skip
        yield made


@pytest.fixture
def keyrings(home: GpgHome) -> Keyrings:
    """The first key."""
    return Keyrings((home.run("--export", KEYS[0]),))


def sign(home: GpgHome, key: str, *words: str, data: bytes = DATA) -> bytes:
    return home.run(f"--local-user={key}", *words, "--detach-sign", stdin=data)


def is_good(keyrings: Keyrings, *signatures: bytes) -> bool:
    """Tell whether data pass, twice: alone, and as one of many."""
    with GpgVerifier(keyrings) as verifier:
        found = [verifier.verify(DATA, signatures) for _ in range(2)]
    assert found[0] == found[1]
    return any(one.is_valid for one in found[0])


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private homes are made; nothing may stay there."""
    return use_scratch(tmp_path / "scratch", monkeypatch)


def use_scratch(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(path))
    return path


def use_program(path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in the place of gpg."""
    path.mkdir()
    (path / "gpg").write_text(f"#!/bin/sh\n{script}\n")
    (path / "gpg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")


# -- configuration and environment -------------------------------------------------------


@pytest.mark.parametrize("place", ["GNUPGHOME", "HOME"])
def test_configuration_of_a_person_decides_nothing(
    tmp_path: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """``--homedir`` sees to that."""
    own = tmp_path / "own/.gnupg"
    own.mkdir(parents=True)
    ring = home.trusted / "pubring.gpg"  # all three keys
    (own / "pubring.gpg").write_bytes(ring.read_bytes())
    (own / "gpg.conf").write_text(
        f"keyring {ring}\nalways-trust\nfaked-system-time 20300101T000000\nno-such-option\n"
        "allow-weak-digest-algos\noutput /dev/full\nlogger-fd 1\nverify-options no-show-photos\n"
    )
    monkeypatch.setenv(place, str(own if place == "GNUPGHOME" else own.parent))
    foreign = sign(home, KEYS[1])
    assert not is_good(keyrings, foreign)
    assert is_good(keyrings, sign(home, KEYS[0]))


def test_configuration_in_a_home_of_ours_decides_nothing(home: GpgHome, keyrings: Keyrings) -> None:
    """``--no-options`` sees to that, were anything ever to put one there."""
    everyone = home.trusted / "pubring.gpg"
    with private_directory(HOME_PREFIX) as private:
        private.create_file(KEYRING, keyrings.streams[0], mode=0o600)
        private.create_file("gpg.conf", f"keyring {everyone}\n".encode(), mode=0o600)
        listed = run_private(private, ["--with-colons", "--list-keys"])
        assert (listed.status, len(parse_keys(listed.lines()))) == (0, 1)
        with Session(private) as session:
            assert session.confirm(sign(home, KEYS[0]), DATA, 1)
            assert not session.confirm(sign(home, KEYS[1]), DATA, 1)


def test_environment_of_an_agent_that_is_not_there_does_no_harm(
    home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sign(home, KEYS[0])
    for name, value in {
        "GPG_AGENT_INFO": "/nowhere:1:1", "GNUPGHOME": "/nowhere", "HOME": "/nowhere",
        "GPG_TTY": "/dev/null", "LANGUAGE": "de", "LC_ALL": "de_DE.UTF-8",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert is_good(keyrings, good)
    assert not is_good(keyrings, sign(home, KEYS[0], data=b"another"))


@pytest.mark.parametrize(
    "name", ["l" * 120, "with blanks and\nlines", "[GNUPG:] GOODSIG"], ids=["long", "odd", "status"]
)
def test_scratch_directory_of_any_name_serves(
    tmp_path: Path,
    home: GpgHome,
    keyrings: Keyrings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    place = use_scratch(tmp_path / name, monkeypatch)
    assert is_good(keyrings, sign(home, KEYS[0]))
    assert not is_good(keyrings, sign(home, KEYS[0], data=b"another"))
    assert not list(place.iterdir())


@pytest.mark.parametrize("kind", ["missing", "file", "relative"])
def test_no_other_place_is_taken_when_there_is_no_scratch_directory(
    tmp_path: Path, keys: GpgHome, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Least of all the current directory, which may be of people that are not to be trusted."""
    (tmp_path / "file").write_bytes(b"")
    repo = make_repo(tmp_path / "repo")
    tree = write_files(tmp_path / "tree", {"a": "a\n"})
    commit(repo, "-b", "main", *keys.options(KEYS[0]), f"--tree=dir={tree}")
    must(ours("remote", "add", f"--repo={repo}", "origin", "http://example.com"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", kind if kind == "relative" else str(tmp_path / kind))
    why = "Not a directory" if kind == "file" else "No such file or directory"
    imported = ("remote", "gpg-import", f"--repo={repo}", "origin", f"--keyring={keys.armored(0)}")
    for words in (("show", f"--repo={repo}", "main"), imported):
        result = ours(*words)
        assert result == reference(*words)
        assert result.err.startswith("error: GPG: ")
        assert result.err.endswith(f"{why}\n")


def test_full_scratch_directory_lets_nothing_pass(
    scratch: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file is the first that has no space any more."""
    good = sign(home, KEYS[0])
    writes = ("create_file", "replace_file")
    originals = {name: getattr(Dir, name) for name in writes}

    for allowed in range(20):
        left = [allowed]

        def write(self: Dir, name: str, *words: object, **more: object) -> object:
            left[0] -= 1  # noqa: B023 - used up before it is bound anew
            if left[0] < 0:  # noqa: B023
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            method = originals["create_file" if "sync" not in more else "replace_file"]
            return method(self, name, *words, **more)

        for one in writes:
            monkeypatch.setattr(Dir, one, write)
        try:
            assert is_good(keyrings, good)
            break
        except OSError as err:
            assert err.errno == errno.ENOSPC  # noqa: PT017 - the last round raises nothing
        finally:
            monkeypatch.undo()
            use_again(scratch, monkeypatch)
        assert not list(scratch.iterdir())
    assert allowed > 3


def use_again(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(scratch))


# -- the program -------------------------------------------------------------------------


def test_program_that_is_killed_has_said_nothing(
    tmp_path: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sign(home, KEYS[0])
    use_program(tmp_path / "bin", '/usr/bin/gpg "$@"; kill -9 $$', monkeypatch)
    with pytest.raises(VerificationError, match="gpg was killed by signal 9"):
        is_good(keyrings, good)


def test_program_that_hangs_is_ended(
    tmp_path: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sign(home, KEYS[0])
    use_program(tmp_path / "bin", '/usr/bin/gpg "$@"; exec sleep 60', monkeypatch)
    monkeypatch.setattr(f"{PROGRAM}._TIMEOUT_S", 0.4)
    before = time.monotonic()
    with pytest.raises(VerificationError, match="killed"):
        is_good(keyrings, good)
    assert time.monotonic() - before < 30


def test_program_that_cannot_be_run_lets_nothing_pass(
    tmp_path: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = sign(home, KEYS[0])
    use_program(tmp_path / "bin", "exit 0", monkeypatch)
    (tmp_path / "bin/gpg").write_bytes(b"\x7fELF no program at all")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(OSError, match="Exec format"):
        is_good(keyrings, good)


def test_keys_that_are_read_in_part_are_not_used(
    tmp_path: Path, home: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has not been read may be that one of them is revoked."""
    good, key = sign(home, KEYS[0]), home.run("--export", KEYS[0])
    for end in ("kill -9 $$", "exit 2"):
        script = f"""
            case "$*" in *--import*) /usr/bin/gpg "$@" > /dev/null; {end};; esac
            exec /usr/bin/gpg "$@"
        """
        use_program(tmp_path / end.split()[0], script, monkeypatch)
        with pytest.raises(VerificationError, match=r"killed|Failed to import keys"):
            is_good(Keyrings((), (key,)), good)
        with pytest.raises(OstreeError, match=r"killed|Failed to import keys"):
            import_keys(b"", key)


@pytest.mark.parametrize("over", ["http", "file", "pull-local"])
def test_history_needs_few_processes(
    tmp_path: Path, home: GpgHome, monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    """One for the first signature, one for the others, one to list the keys."""
    source, target = make_repo(tmp_path / "source"), make_repo(tmp_path / "target")
    for number in range(5):
        tree = write_files(tmp_path / "tree", {"a": f"{number}\n"})
        commit(source, "-b", "main", *home.options(KEYS[0]), f"--tree=dir={tree}")
    with ExitStack() as stack:
        url = f"file://{source}"
        if over == "http":
            url = stack.enter_context(scripted_server(source)).url
        key = f"--gpg-import={home.armored(0)}"
        must(ours("remote", "add", f"--repo={target}", key, "origin", url, "main"))
        log = tmp_path / "log"
        use_program(tmp_path / "bin", f'echo >> {log}; exec /usr/bin/gpg "$@"', monkeypatch)
        if over == "pull-local":
            words = ("pull-local", "--gpg-verify", "--remote=origin", source, "main")
        else:
            words = ("pull", "origin")
        must(ours(words[0], f"--repo={target}", "--depth=-1", *words[1:]))
    assert log.read_text().count("\n") == 3
    assert len(list((target / "objects").glob("??/*.commit"))) == 5


# -- signatures and keys -----------------------------------------------------------------


def test_user_ids_that_imitate_status_lines_say_nothing(home: GpgHome) -> None:
    key = home.run("--export", "=" + SPOOF_ID)
    spoofed = Keyrings((key,))
    bad = sign(home, "=" + SPOOF_ID, data=b"another")
    assert not is_good(spoofed, bad)
    good = sign(home, "=" + SPOOF_ID)
    with GpgVerifier(spoofed) as verifier:
        for _ in range(2):
            (found,) = verifier.verify(DATA, [good])
            assert found.is_valid
            assert describe(found).count("\n") == 2
            assert found.status.fingerprint != KEYS[0]


def test_weak_digest_is_no_signature(home: GpgHome, keyrings: Keyrings) -> None:
    weak = sign(home, KEYS[0], "--digest-algo=MD5", "--allow-weak-digest-algos")
    assert not is_good(keyrings, weak)
    assert is_good(keyrings, sign(home, KEYS[0]), weak)


def test_more_signatures_than_anyone_makes_are_refused(home: GpgHome, keyrings: Keyrings) -> None:
    good = sign(home, KEYS[0])
    for many in (
        [good] * 1001,
        [good * 1001],
        [good, b"\xc2\xff\x00\x60\x00\x00" + bytes(6 << 20)],
    ):
        with pytest.raises(VerificationError, match="More than"):
            is_good(keyrings, *many)


def test_signatures_that_count_are_as_many_as_there_are(
    tmp_path: Path, home: GpgHome, keyrings: Keyrings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were gpg to see more signatures than we do, it would not be reading what we read."""
    good = sign(home, KEYS[0])
    use_program(tmp_path / "bin", '/usr/bin/gpg "$@"; /usr/bin/gpg "$@"', monkeypatch)
    with pytest.raises(VerificationError, match="Unable to complete"):
        is_good(keyrings, good)


@pytest.mark.parametrize(
    "keys", [b"", b"\x00" * 5000, b"\x99\x01", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx"]
)
def test_damaged_keyrings_trust_nobody(home: GpgHome, keys: bytes) -> None:
    good = sign(home, KEYS[0])
    assert not is_good(Keyrings((keys,)), good)
    assert not is_good(Keyrings((), (keys,)), good)
    sound = home.run("--export", KEYS[0])
    assert not is_good(Keyrings((sound[:-400],), (keys, sound[:-400])), good)
    assert is_good(Keyrings((), (keys, sound, keys)), good)


def test_keys_of_a_remote_that_are_too_many_are_refused(tmp_path: Path, home: GpgHome) -> None:
    repo = make_repo(tmp_path / "repo")
    must(ours("remote", "add", f"--repo={repo}", "origin", f"file://{repo}", "main"))
    with (tmp_path / "huge").open("wb") as file:
        file.truncate((64 << 20) + 1)
    words = ("remote", "gpg-import", f"--repo={repo}", "origin", "--keyring")
    assert "File too large" in ours(*words, tmp_path / "huge").err
    os.link(tmp_path / "huge", repo / "origin.trustedkeys.gpg")
    assert "File too large" in ours("remote", "gpg-list-keys", f"--repo={repo}", "origin").err


def test_keys_that_unfold_to_gigabytes_are_given_up(
    home: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{PROGRAM}._MAX_MEMORY_BYTES", 100 << 20)
    user_id = b"\xcd\xff\x00\x00\x07\xd0" + b"A" * 2000
    sound = home.run("--export", KEYS[0])
    bomb = b"\x03" + bz2.compress(sound[:277] + user_id * 60_000)  # 120 MB in one key
    packet = b"\xc8\xff" + len(bomb).to_bytes(4, "big") + bomb
    assert len(packet) < 2000
    with pytest.raises(OstreeError):
        import_keys(b"", packet)
    good = sign(home, KEYS[0])
    assert not is_good(Keyrings((), (packet,)), good)
    assert is_good(Keyrings((), (packet, sound)), good)


@pytest.mark.parametrize("command", [ours, reference], ids=["ours", "reference"])
def test_keys_cannot_be_listed_without_a_place_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    repo = make_repo(tmp_path / "repo")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    result = command("remote", "gpg-list-keys", f"--repo={repo}")
    assert (result.status, result.err) == (1, "error: GPG: No such file or directory\n")


@pytest.mark.parametrize("command", [ours, reference], ids=["ours", "reference"])
def test_missing_home_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: GpgHome, command: Command
) -> None:
    repo = make_repo(tmp_path / "repo")
    must(
        ours(
            "commit",
            f"--repo={repo}",
            "-b",
            "m",
            *home.options(KEYS[0]),
            write_files(tmp_path / "t", {}),
        )
    )
    monkeypatch.chdir(tmp_path)
    result = command("show", f"--repo={repo}", "--gpg-homedir=nowhere", "m")
    missing = f"error: opendir({tmp_path}/nowhere): No such file or directory\n"
    assert (result.status, result.err) == (1, missing)
