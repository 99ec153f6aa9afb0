"""Summaries that a forger with some skill makes, and those that are caught half published."""

from __future__ import annotations

import os
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.power import power_cut
from fault.victim import Victim
from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.formats.commit import Metadata, decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.repo.commit_metadata import Signer
from pyostree.repo.repo import Repo
from pyostree.repo.summary import update_summary
from pyostree.sign.signers import key_signers
from pyostree.sign.signing_order import summary_signers
from repo_lab import Result, commit, link_tree, make_repo, must, ours, reference, write_files
from sign_lab import DUMMY_ENVIRONMENT, make_pair

WAYS = ("gpg", "ed25519", "spki", "dummy")
KEY_OF = {"gpg": "ostree.gpgsigs"} | {way: f"ostree.sign.{way}" for way in WAYS[1:]}
COMMANDS = {
    "pull": ("pull", "origin", "main"),
    "mirror": ("pull", "--mirror", "origin"),
    "refs": ("remote", "refs", "origin"),
    "summary": ("remote", "summary", "origin"),
}
OLD, NEW = {"origin:main"}, {"origin:main", "origin:more"}


class Published(NamedTuple):
    """One state of a repository that was published: the content of its two files."""

    summary: bytes
    signature: bytes

    @property
    def metadata(self) -> Metadata:
        return decode_metadata(self.signature)

    def with_entry(self, key: str, value: Variant) -> Published:
        return self._replace(signature=encode_metadata(((key, value),)))


class Place:
    """A repository, its two published states, and who may sign it in one way.

    Attributes:
        first: an older state, with other commits.
        latest: what is published.
        foreign: of another repository, by the same key.
        stranger: the latest summary, signed by a key that does not count.
    """

    def __init__(self, root: Path, way: str, home: GpgHome) -> None:
        self.way = way
        self.key = KEY_OF[way]
        self._home = home
        self._pairs = [] if way == "gpg" else [make_pair(way, number) for number in (0, 1)]
        self.repo, other = make_repo(root / "repo"), make_repo(root / "other")
        tree = write_files(root / "tree", {"a": "content\n"})
        for repo in (self.repo, other):
            commit(repo, "-b", "main", "-s", repo.name, f"--tree=dir={tree}")
        self.first = self._publish(self.repo)
        commit(self.repo, "-b", "main", "-s", "later", f"--tree=dir={tree}")
        self.commit = commit(self.repo, "-b", "more", "-s", "more", f"--tree=dir={tree}")
        self.latest = self._publish(self.repo)
        self.foreign = self._publish(other)
        (sign,) = self.signers(1)
        signature = encode_metadata(sign(self.latest.summary, ()))
        self.stranger = self.latest._replace(signature=signature)

    def options(self) -> list[str]:
        """Return what makes ``summary -u`` sign with the key that counts."""
        if self.way == "gpg":
            return self._home.options(KEYS[0])
        return [f"--sign-type={self.way}", f"--sign={self._pairs[0].secret}"]

    def signers(self, number: int = 0) -> tuple[Signer, ...]:
        """Return what signs a summary with a key; 0 is the one that counts."""
        if self.way == "gpg":
            return summary_signers((), [KEYS[number]], str(self._home.path)).summary
        return key_signers([self._pairs[number].secret], self.way)

    def _publish(self, repo: Path) -> Published:
        must(ours("summary", "-u", f"--repo={repo}", *self.options()))
        return Published((repo / "summary").read_bytes(), (repo / "summary.sig").read_bytes())

    def put(self, published: Published | None) -> None:
        """Let the repository have these files."""
        for name in ("summary", "summary.sig"):
            (self.repo / name).unlink(missing_ok=True)
        if published is not None:
            (self.repo / "summary").write_bytes(published.summary)
            (self.repo / "summary.sig").write_bytes(published.signature)

    def client(self, path: Path, source: Path | None = None) -> Path:
        """Return a new repository with the remote ``origin``, which demands signed summaries."""
        demand = [f"--set=sign-verify-summary={self.way}"]
        if self.way == "gpg":
            demand = ["--set=gpg-verify-summary=true", f"--set=gpgkeypath={self._home.armored(0)}"]
        else:
            demand.append(f"--set=verification-{self.way}-key={self._pairs[0].public}")
        repo, url = make_repo(path, "archive"), f"file://{source or self.repo}"
        words = ["--set=gpg-verify=false", *demand, "origin", url]
        must(ours("remote", "add", f"--repo={repo}", *words))
        return repo


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DUMMY_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    made: dict[str, Place] = {}
    with gpg_home() as home:

        def place(way: str) -> Place:
            if way not in made:
                made[way] = Place(tmp_path_factory.mktemp(way), way, home)
            return made[way]

        yield place


@pytest.fixture(params=WAYS)
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture
def client(place: Place, tmp_path: Path) -> Path:
    return place.client(tmp_path / "client")


def run(client: Path, name: str) -> Result:
    first, *rest = COMMANDS[name]
    return ours(first, f"--repo={client}", *rest)


def listed(client: Path) -> set[str] | None:
    """Return the refs that a client sees; None when it refuses to believe anything."""
    done = run(client, "refs")
    assert done.status == 0 or done.err.startswith("error: ")
    return set(done.out.split()) if done.status == 0 else None


def assert_untouched(client: Path) -> None:
    """Nothing that came is reachable, shown again from a cache, or left lying."""
    assert must(ours("refs", f"--repo={client}")) == ""
    assert not list((client / "objects").glob("??/*.commit"))
    for name in ("tmp/cache/summaries", "summary", "summary.sig"):
        assert not (client / name).exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_signed_summary_passes(place: Place, client: Path, name: str) -> None:
    place.put(place.latest)
    must(run(client, name))
    must(run(client, name))  # from the cache as well


def test_a_checksum_needs_no_summary_as_in_the_reference(place: Place, client: Path) -> None:
    place.put(None)
    must(ours("pull", f"--repo={client}", "origin", place.commit))
    if place.way in ("gpg", "dummy"):
        must(reference("pull", f"--repo={client}", "origin", place.commit))
    assert run(client, "pull").status == 1


def good(place: Place) -> tuple[bytes, ...]:
    """Return the good signatures of the latest state."""
    return tuple(map(bytes, dict(place.latest.metadata)[place.key].value))


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def under(key: str, place: Place) -> Published:
    return place.latest.with_entry(key, Variant("aay", good(place)))


def as_value(value: Variant, place: Place) -> Published:
    return place.latest.with_entry(place.key, value)


def with_summary(data: bytes, place: Place) -> Published:
    return place.latest._replace(summary=data)


def with_signature(data: bytes, place: Place) -> Published:
    return place.latest._replace(signature=data)


# Each makes of a place the files that an attacker publishes.
FORGED: dict[str, Callable[[Place], Published]] = {
    "entry of another way": lambda p: under(KEY_OF["spki" if p.way == "gpg" else "gpg"], p),
    "entry of another engine": lambda p: under("ostree.sign.none", p),
    "key in capitals": lambda p: under(p.key.upper(), p),
    "key with a tail": lambda p: under(p.key + " ", p),
    "an empty signature": lambda p: as_value(Variant("aay", (b"",)), p),
    "no list": lambda p: as_value(Variant("ay", good(p)[0]), p),
    "a list of texts": lambda p: as_value(Variant("as", ("x",)), p),
    "a list in a variant": lambda p: as_value(Variant("v", Variant("aay", good(p))), p),
    "a list of lists": lambda p: as_value(Variant("aaay", (good(p),)), p),
    "a tuple": lambda p: as_value(Variant("(aay)", (good(p),)), p),
    "cut inside": lambda p: as_value(Variant("aay", tuple(one[:-1] for one in good(p))), p),
    "a flipped bit": lambda p: as_value(Variant("aay", (flip(good(p)[0]),)), p),
    "a tail": lambda p: with_signature(p.latest.signature + b"\0\0", p),
    "an empty summary": lambda p: with_summary(b"", p),
    "a flipped bit in the summary": lambda p: with_summary(
        p.latest.summary.replace(b"more", b"mose", 1), p
    ),
    "a cut summary": lambda p: with_summary(p.latest.summary[:-9], p),
    "another repository's signature": lambda p: with_signature(p.foreign.signature, p),
    "a stranger's signature": lambda p: p.stranger,
}  # fmt: skip
# The engine dummy looks at its signature only.
SIGNS_ANYTHING = {
    "an empty summary",
    "a flipped bit in the summary",
    "a cut summary",
    "another repository's signature",
}


@pytest.mark.parametrize("forgery", FORGED)
def test_forged_summary_is_refused_by_everybody(place: Place, client: Path, forgery: str) -> None:
    if place.way == "dummy" and forgery in SIGNS_ANYTHING:
        return
    place.put(FORGED[forgery](place))
    for name in COMMANDS:
        done = run(client, name)
        assert (done.status, done.out) == (1, ""), name
        assert done.err.startswith("error: ")
        assert_untouched(client)


def test_another_repository_of_the_same_signer_passes_for_this_one(
    place: Place, client: Path
) -> None:
    """A key is trusted for whatever it signs: that is what collection IDs are for."""
    place.put(place.foreign)
    assert listed(client) == OLD


@pytest.mark.parametrize("name", ["summary", "summary.sig"])
def test_file_that_is_too_large_is_refused_unread(
    places: Callable[[str], Place], tmp_path: Path, name: str
) -> None:
    place = places("ed25519")
    place.put(place.latest)
    os.truncate(place.repo / name, (128 << 20) + 1)
    client = place.client(tmp_path / "client")
    tracemalloc.start()
    results = [run(client, command) for command in ("pull", "refs")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(status, out) for status, out, _ in results] == [(1, ""), (1, "")]
    for _, _, err in results:
        assert re.search(rf"[/(]{name}( exceeded maximum size of |\): File too large)", err), err
    assert peak < 16 << 20
    assert_untouched(client)


# -- caught half published ---------------------------------------------------------------


class Update(NamedTuple):
    """What became of ``summary -u``: number of its first call that concerns files of summaries."""

    first_call: int
    was_cut: bool


def update(place: Place, repo: Path, before_call: int | None = None) -> Update:
    """Publish a summary; the power goes before the call of that number."""
    with power_cut(before_call) as power, Repo.open(repo) as opened:
        update_summary(opened, signers=place.signers())
    numbers = [
        number
        for number, (name, args) in enumerate(power.calls, 1)
        if name == "mkdir" and str(args[0]).startswith("summary-")
    ]
    return Update(numbers[0] if numbers else 0, power.was_cut)


def test_power_cut_while_publishing_never_shows_what_was_not_signed(
    places: Callable[[str], Place], tmp_path: Path
) -> None:
    place = places("ed25519")
    place.put(place.first)
    template, copy = place.repo, tmp_path / "copy"
    knowing, fresh = (place.client(tmp_path / name, copy) for name in ("knowing", "fresh"))
    link_tree(template, copy)
    assert listed(knowing) == OLD  # and it is in the cache now
    begin = update(place, copy).first_call
    refused = 0
    for number in count(begin):
        shutil.rmtree(copy)
        power = update(place, link_tree(template, copy), number)
        seen = listed(link_tree(fresh, tmp_path / f"fresh-{number}"))
        assert seen in (OLD, NEW, None)
        refused += seen is None
        # Of the two old files in the cache it is known that they fit each other.
        known = listed(link_tree(knowing, tmp_path / f"knowing-{number}"))
        assert known == (seen or OLD)
        if not power.was_cut:
            break
    assert seen == NEW
    assert number > begin + 8
    assert refused == 1, "between the renames"


def test_killed_anywhere_leaves_what_was_signed_or_what_is_refused(
    places: Callable[[str], Place], tmp_path: Path
) -> None:
    place = places("ed25519")
    place.put(place.first)
    copy = tmp_path / "copy"
    fresh = place.client(tmp_path / "fresh", copy)
    refused = 0
    with Victim() as victim:
        for number in count(1):
            link_tree(place.repo, copy)
            words = ["summary", "-u", f"--repo={copy}", *place.options()]
            is_killed = victim.was_killed(number, words)
            seen = listed(link_tree(fresh, tmp_path / f"fresh-{number}"))
            assert seen in (OLD, NEW, None)
            refused += seen is None
            if not is_killed:
                break
            if seen is None:
                must(ours(*words))  # all is well after the next time
                assert listed(link_tree(fresh, tmp_path / "again")) == NEW
            shutil.rmtree(copy)
    assert seen == NEW
    assert refused == 1, "between the renames"


def test_unsigned_summary_over_a_signed_one_is_refused(place: Place, client: Path) -> None:
    """Also by those who have the signed one in their cache."""
    place.put(place.latest)
    assert listed(client) == NEW
    must(ours("summary", "-u", f"--repo={place.repo}"))
    assert not (place.repo / "summary.sig").exists()
    assert listed(client) is None
    assert run(client, "pull").status == 1
    place.put(place.latest)
    assert listed(client) == NEW


def test_automatic_summary_takes_the_signatures_away(
    places: Callable[[str], Place], tmp_path: Path
) -> None:
    place = places("ed25519")
    repo = link_tree(place.repo, tmp_path / "copy")
    must(ours("config", f"--repo={repo}", "set", "core.auto-update-summary", "true"))
    must(ours("summary", "-u", f"--repo={repo}", *place.options()))
    assert (repo / "summary.sig").exists()
    must(ours("refs", f"--repo={repo}", "--create=third", "main"))
    assert b"third" in (repo / "summary").read_bytes()
    assert not (repo / "summary.sig").exists()
    assert listed(place.client(tmp_path / "client", repo)) is None
