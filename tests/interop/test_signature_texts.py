"""What people read about OpenPGP signatures, in every state of signature and key."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pty_lab import on_terminal
from pyostree.formats.commit import encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import parse_checksum
from pyostree.repo.repo import Repo
from repo_lab import (
    OURS,
    REFERENCE,
    commit,
    make_repo,
    must,
    ours,
    reference,
    run_process,
    write_files,
)
from signature_lab import SignatureLab, signature_lab

MADE = "Signature made Mon Jun  1 12:00:00 2020 using"
UNKNOWN = "Signature made Thu Jan  1 00:00:00 1970 using [unknown name] key ID ID"
ENDED = "Fri Jan  1 00:00:00 2021"
SOON, EXACT = "--default-sig-expire=1d", "--default-sig-expire=2099-01-01"


class State(NamedTuple):
    """One signature; `text` is what the release of 2026 prints of it, IDs left out."""

    user: str
    text: tuple[str, ...]
    options: tuple[str, ...] = ()
    is_of_other_data: bool = False
    ends_the_run: bool = False  # gpg looks at no signature after it


def good(name: str, *more: str, algorithm: str = "EdDSA") -> tuple[str, ...]:
    return (f"{MADE} {algorithm} key ID ID", f'Good signature from "{name}"', *more)


def bad(name: str, *more: str) -> tuple[str, ...]:
    return (f"{MADE} EdDSA key ID ID", f'BAD signature from "{name}"', *more)


def broken(name: str, *more: str) -> tuple[str, ...]:
    return (UNKNOWN, f'BAD signature from "{name}"', "Primary key ID ID", *more)


STATES = {
    "good": State("sound@example.com", good("Other <other@example.com>")),
    "rsa, comment": State(
        "rsa@example.com", good("Rsa Key <rsa@Example.com>", algorithm="RSA")
    ),
    "ecdsa, not ascii": State(
        "snow@example.com", good("Zoë ☃ <snow@example.com>", algorithm="ECDSA")
    ),
    "no address": State("No Address", good("No Address <>")),
    "no name": State("only.an@example.com", good(" <only.an@example.com>")),
    "sha-1": State(
        "rsa@example.com",
        good("Rsa Key <rsa@Example.com>", algorithm="RSA"),
        ("--digest-algo=SHA1",),
    ),
    "key expires": State(
        "long@example.com",
        good("Long Life <long@example.com>", "Key expires Thu Dec 31 00:00:00 2099"),
    ),
    "subkey": State(
        "sub@example.com", good("With Sub <sub@example.com>", "Primary key ID ID")
    ),
    "subkey, all expire": State(
        "live@example.com",
        good(
            "Both Live <live@example.com>",
            "Primary key ID ID",
            "Signature expires Thu Jan  1 12:00:00 2099",
            "Key expires Sun Jan  1 00:00:00 2040",
            "Primary key expires Thu Dec 31 00:00:00 2099",
        ),
        (EXACT,),
    ),
    "key expired": State(
        "old@example.com", bad("Old Key <old@example.com>", f"Key expired {ENDED}")
    ),
    "primary expired": State(
        # GnuPG 2.4 says that the subkey has ended, too; this comes from the key listing.
        "oldprimary@example.com",
        bad("Old Primary <oldprimary@example.com>", "Primary key ID ID",
            f"Primary key expired {ENDED}"),
    ),
    "subkey expired": State(
        "oldsub@example.com",
        bad("Old Sub <oldsub@example.com>", "Primary key ID ID", f"Key expired {ENDED}"),
    ),
    "subkey expired, primary not yet": State(
        # Of a primary key that lives on the reference says so, too.
        "oldhalf@example.com",
        bad("Old Half <oldhalf@example.com>", "Primary key ID ID", f"Key expired {ENDED}",
            "Primary key expired Thu Dec 31 00:00:00 2099"),
    ),
    "both expired": State(
        "oldboth@example.com",
        bad("Old Both <oldboth@example.com>", "Primary key ID ID",
            "Key expired Wed Jul  1 00:00:00 2020", f"Primary key expired {ENDED}"),
    ),
    "revoked": State("revoked@example.com", (f"{MADE} EdDSA key ID ID", "Key revoked")),
    "revoked primary": State(
        "revprimary@example.com", (f"{MADE} EdDSA key ID ID", "Key revoked", "Primary key ID ID")
    ),
    "missing": State(
        "absent@example.com",
        (f"{MADE} EdDSA key ID ID", "Can't check signature: public key not found"),
    ),
    "weak digest": State(
        "rsa@example.com",
        (f"{MADE} RSA key ID ID", 'BAD signature from "Rsa Key <rsa@Example.com>"'),
        ("--digest-algo=MD5", "--allow-weak-digest-algos"),
    ),
    "bad": State("sound@example.com", broken("Other <other@example.com>"), (), True, True),
    "bad, subkey": State("sub@example.com", broken("With Sub <sub@example.com>"), (), True, True),
    "bad, key expired": State(
        "old@example.com",
        broken("Old Key <old@example.com>", f"Primary key expires {ENDED}"), (), True, True,
    ),
    "bad, revoked": State(
        "revoked@example.com", broken("Revoked Key <revoked@example.com>"), (), True, True
    ),
    "bad, missing": State(
        "absent@example.com",
        (f"{MADE} EdDSA key ID ID", "Can't check signature: public key not found"), (), True,
    ),
    "expired": State(
        "sound@example.com",
        (f"{MADE} EdDSA key ID ID", 'Expired signature from "Other <other@example.com>"',
         "Signature expired Tue Jun  2 12:00:00 2020"),
        (SOON,), False, True,
    ),
    "expired, subkey": State(
        "sub@example.com",
        (f"{MADE} EdDSA key ID ID", 'Expired signature from "With Sub <sub@example.com>"',
         "Primary key ID ID", "Signature expired Tue Jun  2 12:00:00 2020"),
        (SOON,), False, True,
    ),
    "expired, as the key": State(
        "old@example.com",
        (f"{MADE} EdDSA key ID ID", 'Expired signature from "Old Key <old@example.com>"',
         "Signature expired Tue Jun  2 12:00:00 2020", f"Key expires {ENDED}"),
        (SOON,), False, True,
    ),
}  # fmt: skip
TOGETHER = tuple(name for name, state in STATES.items() if not state.ends_the_run)
ALONE = tuple(name for name, state in STATES.items() if state.ends_the_run)
KEY_ID = re.compile(r"\b[0-9A-F]{16}\b")


class Place:
    """A repository whose commit and summary get signatures of any state.

    Attributes:
        trusted: a directory with the public keys, but for the missing one.
    """

    def __init__(self, root: Path, lab: SignatureLab) -> None:
        self.repo = make_repo(root / "repo")
        self.trusted = lab.trusted
        tree = write_files(root / "tree", {"a": "content\n"})
        self.commit = commit(self.repo, "-b", "main", f"--tree=dir={tree}")
        must(ours("summary", "-u", f"--repo={self.repo}"))
        object_path = self.repo / f"objects/{self.commit[:2]}/{self.commit[2:]}.commit"
        self._of_commit = sign_all(lab, object_path.read_bytes())
        self._of_summary = sign_all(lab, (self.repo / "summary").read_bytes())
        lab.publish()
        self.client = make_repo(root / "client")
        words = [f"--set=gpgkeypath={lab.trusted}", "--set=gpg-verify-summary=true"]
        must(ours("remote", "add", f"--repo={self.client}", *words, "r", f"file://{self.repo}"))

    def sign(self, *names: str) -> None:
        """Let commit and summary have signatures in these states."""
        value = Variant("aay", tuple(self._of_commit[name] for name in names))
        with Repo.open(self.repo) as repo:
            repo.write_detached_metadata(parse_checksum(self.commit), (("ostree.gpgsigs", value),))
        value = Variant("aay", tuple(self._of_summary[name] for name in names))
        (self.repo / "summary.sig").write_bytes(encode_metadata((("ostree.gpgsigs", value),)))

    def words(self, *words: str) -> tuple[str, ...]:
        """Return a command that reads the signed repository."""
        return (words[0], f"--repo={self.repo}", *words[1:])


def sign_all(lab: SignatureLab, data: bytes) -> dict[str, bytes]:
    return {
        name: lab.sign(state.user, b"other" if state.is_of_other_data else data, *state.options)
        for name, state in STATES.items()
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with signature_lab() as lab:
        yield Place(tmp_path_factory.mktemp("place"), lab)


@pytest.fixture(autouse=True)
def _trust(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTREE_GPG_HOME", str(place.trusted))


def expected(names: Sequence[str], prefix: str = "  ") -> str:
    """Return the paragraphs about some states."""
    paragraphs = ("".join(f"\n{prefix}{line}" for line in STATES[name].text) for name in names)
    return "\n".join(paragraphs)


def without_ids(text: str) -> str:
    return KEY_ID.sub("ID", text).replace("\u2007", " ")  # days are padded with figure spaces


@pytest.mark.parametrize("names", [TOGETHER, *((name,) for name in ALONE)], ids=lambda n: n[-1])
def test_show_tells_each_state_as_the_reference(place: Place, names: tuple[str, ...]) -> None:
    place.sign(*names)
    mine = ours(*place.words("show", "main"))
    assert mine == reference(*place.words("show", "main"))
    count = f"{len(names)} signature{'s' if len(names) > 1 else ''}"
    shown = without_ids(must(mine)).partition("\nFound ")[2]
    assert shown == f"{count}:\n{expected(names)}"


@pytest.mark.parametrize("names", [("good",), ("good", "missing", "bad")], ids=["one", "three"])
def test_summary_has_a_block_of_its_own(place: Place, names: tuple[str, ...]) -> None:
    place.sign(*names)
    count = "1 signature" if len(names) == 1 else "3 signatures"
    shown = must(ours(*place.words("summary", "--view")))  # only since 2026
    text, _, block = shown.partition("\nFound ")
    assert text.endswith("ostree.summary.indexed-deltas: true\n")
    assert without_ids(block) == f"{count} on the summary:\n{expected(names)}"
    of_remote = ("remote", "summary", f"--repo={place.client}", "r")
    fetched = ours(*of_remote)
    assert fetched == reference(*of_remote)
    assert must(fetched).partition("\nGPG: ")[2].replace(
        "Verification enabled, found ", ""
    ) == block.replace(" on the summary", "")


def test_parts_of_a_summary_come_without_signatures(place: Place) -> None:
    place.sign("good")
    for words in (["--raw"], ["--view", "--raw"], ["--list-metadata-keys"],
                  ["--print-metadata-key=ostree.summary.mode"]):  # fmt: skip
        assert "ignature" not in must(ours(*place.words("summary", *words)))
    assert "ignature" not in must(ours("remote", "summary", "--raw", f"--repo={place.client}", "r"))


def test_summary_without_openpgp_signatures_says_so_or_nothing(place: Place) -> None:
    signature = place.repo / "summary.sig"
    other = encode_metadata((("ostree.sign.dummy", Variant("aay", (b"x",))),))
    for content, last in (
        (other, "ostree.summary.indexed-deltas: true"),
        (b"", "ostree.summary.indexed-deltas: true"),
        (None, "Summary is unsigned"),
    ):
        signature.unlink(missing_ok=True)
        if content is not None:
            signature.write_bytes(content)
        assert must(ours(*place.words("summary", "--view"))).splitlines()[-1] == last


def test_list_without_signatures_is_an_error_after_the_text(place: Place) -> None:
    place.sign()
    message = "error: GPG: Unable to complete signature verification: GPGME: No data\n"
    shown = ours(*place.words("show", "main"))
    assert shown == reference(*place.words("show", "main"))
    viewed = ours(*place.words("summary", "--view"))
    for result in (shown, viewed):
        assert (result.status, result.err) == (1, message)
        assert result.out


# -- pulls -------------------------------------------------------------------------------

HOPELESS = ("both expired", "missing", "revoked", "subkey expired", "bad")


def test_refused_commit_and_summary_are_described_from_the_last_to_the_first(place: Place) -> None:
    place.sign(*HOPELESS)
    described = expected(HOPELESS[::-1], "").replace("\n\n", "\n").strip("\n")
    for words in (("remote", "refs", "r"), ("remote", "summary", "r"), ("pull", "r", "main")):
        full = (*words[:1], f"--repo={place.client}", *words[1:])
        refused = ours(*full)
        assert refused == reference(*full)
        assert refused.status == 1
        assert without_ids(refused.err) == f"error: {described}\n"
    local = ("pull-local", f"--repo={place.client}", "--remote=r", "--gpg-verify", str(place.repo))
    refused = ours(*local, "main")
    assert refused == reference(*local, "main")
    assert without_ids(refused.err) == f"error: Commit {place.commit}: {described}\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [("missing", 0), ("revoked", 0), ("key expired", 0), ("weak digest", 0), ("bad", 1),
     ("expired", 1)],
)  # fmt: skip
def test_good_signature_counts_unless_gpg_stops_at_one_before_it(
    place: Place, first: str, then: int
) -> None:
    words = ("remote", "refs", f"--repo={place.client}", "r")
    for names, status in (((first, "good"), then), (("good", first), 0)):
        place.sign(*names)
        mine = ours(*words)
        assert mine.status == status
        assert mine == reference(*words)


@pytest.mark.parametrize("names", [("good",), TOGETHER, HOPELESS], ids=["one", "all", "hopeless"])
def test_pull_on_a_terminal_tells_all_before_it_decides(
    place: Place, tmp_path: Path, names: tuple[str, ...]
) -> None:
    place.sign(*names)
    sessions = []
    for program, name in ((OURS, "mine"), (REFERENCE, "theirs")):
        client = make_repo(tmp_path / name)
        words = [f"--set=gpgkeypath={place.trusted}", "r", f"file://{place.repo}"]
        must(ours("remote", "add", f"--repo={client}", *words))
        sessions.append(on_terminal(program, "pull", f"--repo={client}", "r", "main", columns=200))
    mine, theirs = sessions
    assert mine.code == theirs.code == (names is HOPELESS)
    assert mine.err.partition("hint:")[0].rstrip() == theirs.err.rstrip()
    plural = "" if len(names) == 1 else "s"
    block = f"\n\nGPG: Verification enabled, found {len(names)} signature{plural}:\n"
    wanted = f"{block}{expected(names)}".splitlines()
    for session in sessions:
        assert without_ids("\n".join(session.lines)).splitlines()[: len(wanted)] == wanted


# -- times -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("locales")
    subprocess.run(["localedef", "-i", "de_DE", "-f", "ISO-8859-1", path / "de_DE"], check=True)
    return path


@pytest.mark.parametrize(
    ("environment", "made"),
    [
        ({"TZ": "America/New_York"}, "Mon Jun  1 08:00:00 2020"),
        ({"TZ": "Asia/Kolkata"}, "Mon Jun  1 17:30:00 2020"),
        ({"TZ": "<+14>-14"}, "Tue Jun  2 02:00:00 2020"),
        ({"LC_ALL": "C"}, "Mon Jun ?1 12:00:00 2020"),  # the blank is a figure space
        ({"LC_ALL": "", "LC_TIME": "de_DE"}, "Mo 01 Jun 2020 12:00:00 UTC"),
        ({"LC_ALL": "nowhere.UTF-8"}, "Mon Jun ?1 12:00:00 2020"),
    ],
    ids=["west", "half hour", "other day", "C", "German", "unknown"],
)
def test_times_follow_zone_and_locale(
    place: Place, locales: Path, environment: dict[str, str], made: str
) -> None:
    place.sign("good", "key expires")
    words = place.words("show", "main")
    mine, theirs = (
        run_process(program, *words, LOCPATH=str(locales), **environment)
        for program in (OURS, REFERENCE)
    )
    assert mine.out == theirs.out
    assert f"  Signature made {made} using EdDSA key ID" in mine.out.replace("\u2007", " ")


def test_utc_is_named_as_the_reference_names_it(
    place: Place, locales: Path, tmp_path: Path
) -> None:
    """In the message of ``pull -T``, whose times are in UTC and in the locale's form."""
    source = make_repo(tmp_path / "source")
    client = make_repo(tmp_path / "client")
    tree = write_files(tmp_path / "tree", {"a": "a"})
    must(ours("remote", "add", f"--repo={client}", "--no-gpg-verify", "r", f"file://{source}"))
    commit(source, "-b", "main", f"--tree=dir={tree}")
    must(ours("pull", f"--repo={client}", "r", "main"))
    must(ours("commit", f"--repo={source}", "-b", "main", "--timestamp=@100", f"--tree=dir={tree}"))
    words = ("pull", f"--repo={client}", "-T", "r", "main")
    environment = {"LC_ALL": "de_DE", "LOCPATH": str(locales), "TZ": "Asia/Kolkata"}
    mine, theirs = (run_process(one, *words, **environment) for one in (OURS, REFERENCE))
    assert mine == theirs
    assert "'Do 01 Jan 1970 00:01:40 UTC' is chronologically older" in mine.err
