"""Whoever stands between a vendor and a device: whatever is done to signatures, nothing passes."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import RemoteNotFoundError, VerificationError
from pyostree.formats.commit import Metadata, decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import ObjectName, ObjectType, parse_checksum
from pyostree.pull.from_path import pull_local
from pyostree.pull.from_remote import pull
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.signatures import CommitSignatures
from pyostree.repo.repo import Repo
from pyostree.sign.engines.keyed import KeyedVerifier
from repo_lab import OURS, copy_tree, must, ours
from trust_lab import EVIL, GPG, KINDS, Client, Vendor, vendor_at

Attack = Callable[[Vendor, Reply], Reply]
ENGINES = KINDS[1:]
NO_GPG = "GPG verification enabled, but no signatures found"
NOT_FOUND = Reply(b"", 404)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    with vendor_at(tmp_path_factory.mktemp("vendor") / "repo") as made:
        yield made


@pytest.fixture
def server(vendor: Vendor) -> Iterator[ScriptedServer]:
    with scripted_server(vendor.path) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path, vendor: Vendor, server: ScriptedServer) -> Client:
    return Client(tmp_path / "client", vendor, server.url)


@pytest.fixture(params=KINDS[:2])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def spoil(server: ScriptedServer, vendor: Vendor, attack: Attack, checksum: str = "") -> None:
    """Let the server hand out other detached metadata, by default of the newest commit."""
    server.faults[f"{(checksum or vendor.new)[2:]}.commitmeta"] = lambda reply: attack(
        vendor, reply
    )


def with_lists(change: Callable[[tuple[bytes, ...]], Variant]) -> Attack:
    """Return the attack that changes each list of signatures."""

    def attack(_: Vendor, reply: Reply) -> Reply:
        before: Metadata = decode_metadata(reply.body)
        after = tuple((key, change(value.value)) for key, value in before)
        return Reply(encode_metadata(after))

    return attack


def missing(_: Vendor, reply: Reply) -> Reply:
    return NOT_FOUND


def empty(_: Vendor, reply: Reply) -> Reply:
    return Reply(b"")


def garbage(_: Vendor, reply: Reply) -> Reply:
    return Reply(b"\xff<html>not what you asked for</html>")


def truncated(_: Vendor, reply: Reply) -> Reply:
    return Reply(reply.body[:-20])


def broken_off(_: Vendor, reply: Reply) -> Reply:
    return Reply(reply.body[:-20], promised=len(reply.body))


def replayed(vendor: Vendor, reply: Reply) -> Reply:
    return Reply(vendor.signatures(vendor.old))


def by_another(vendor: Vendor, reply: Reply) -> Reply:
    return Reply(vendor.signatures(vendor.new, EVIL))


def elsewhere(vendor: Vendor, reply: Reply) -> Reply:
    place = f"/objects/{vendor.old[:2]}/{vendor.old[2:]}.commitmeta"
    return Reply(b"", 302, location=place)


no_entries = with_lists(lambda found: Variant("aay", ()))
wrong_type = with_lists(lambda found: Variant("ay", found[0]))
short = with_lists(lambda found: Variant("aay", (found[0][:-1],)))
flipped = with_lists(lambda found: Variant("aay", (found[0][:-1] + bytes([found[0][-1] ^ 1]),)))

LONE = r"Can't verify commit: (ed25519|spki): Signature couldn't be verified with: key '[0-9a-f]+'"
ATTACKS = {
    missing: "Can't verify commit without detached metadata",
    empty: "Can't verify commit: No signatures found",
    garbage: "Can't verify commit: No signatures found",
    truncated: "Can't verify commit: .*",
    broken_off: "",  # what it is called is for tests of servers
    replayed: LONE,
    by_another: LONE,
    elsewhere: LONE,
    no_entries: "Can't verify commit: (ed25519|spki): no signatures found",
    wrong_type: "Can't verify commit: No signatures found",
    short: rf"{LONE}|Can't verify commit: Invalid signature: Ill-formed input: expected 64 bytes, "
    "got 63 bytes",
    flipped: LONE,
}
NAMES = [
    *("missing", "empty", "garbage", "truncated", "broken_off", "replayed", "by_another"),
    *("elsewhere", "no_entries", "wrong_type", "short", "flipped"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_commit_without_good_signature_is_refused_and_leaves_nothing(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str, attack: Attack
) -> None:
    client.demand(kind)
    spoil(server, vendor, attack)
    message = client.refuses()
    wanted = ATTACKS[attack]
    if wanted and kind == GPG:
        wanted = rf"(?s)Commit {vendor.new}: .*"
    assert re.fullmatch(wanted or ".*", message), message
    assert client.commits() == set()
    server.faults.clear()
    must(client.pull())
    assert client.refs() == {"origin:main": vendor.new}
    assert client.detached(vendor.new) == vendor.file(vendor.new, "commitmeta").read_bytes()


@pytest.mark.parametrize("attack", [empty, garbage, replayed, by_another, no_entries, flipped])
def test_stored_signatures_survive_what_a_later_pull_gets(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str, attack: Attack
) -> None:
    client.demand(kind)
    must(client.pull())
    before = client.detached(vendor.new)
    spoil(server, vendor, attack)
    message = client.refuses()
    lead = "Commit" if kind == GPG else "Can't verify commit"
    assert message.startswith(f"{lead} {vendor.new}: ")
    assert client.detached(vendor.new) == before
    spoil(server, vendor, missing)  # a server that has none takes none away
    must(client.pull())
    assert client.detached(vendor.new) == before


def test_commit_that_is_here_unsigned_is_not_taken_for_a_good_one(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    spoil(server, vendor, missing)
    must(ours("pull-local", f"--repo={client.path}", vendor.path, vendor.new))
    stored = client.path / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    stored.unlink()
    client.demand(kind)
    message = client.refuses()
    if kind == GPG:
        assert message.startswith(f"Commit {vendor.new}: {NO_GPG}")
    else:
        reason = f"{kind}: commit have no signatures of my type"
        assert message == f"Can't verify commit {vendor.new}: {reason}"
    server.faults.clear()
    must(client.pull())
    assert client.detached(vendor.new) is not None


def test_junk_takes_no_signatures_away_where_none_are_demanded(
    vendor: Vendor, server: ScriptedServer, client: Client
) -> None:
    """A page to log in, say, that is served in place of everything."""
    must(client.pull())
    before = client.detached(vendor.new)
    spoil(server, vendor, garbage)
    assert f"{vendor.new}.commitmeta: " in client.refuses()
    assert client.detached(vendor.new) == before


def test_junk_beside_a_new_commit_is_no_signature_and_no_obstacle(
    vendor: Vendor, server: ScriptedServer, client: Client
) -> None:
    """The reference, too, gives the commit to those who demand no signatures."""
    spoil(server, vendor, garbage)
    for _ in range(2):
        must(client.pull())
        assert client.detached(vendor.new) == b""


@pytest.mark.parametrize("words", [(), ("--commit-metadata-only",), ("--mirror",)])
def test_every_way_to_pull_demands_signatures(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str, words: tuple[str, ...]
) -> None:
    client.demand(kind)
    spoil(server, vendor, by_another)
    for wanted in ("main", f"main@{vendor.new}", vendor.new):
        client.refuses(*words, wanted)
    assert client.commits() == set()
    assert client.refs() == {}


@pytest.mark.parametrize("attack", [missing, by_another, replayed])
def test_parents_need_signatures_of_their_own(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str, attack: Attack
) -> None:
    child = vendor.commit("family", "child", f"--parent={vendor.other}")
    client.demand(kind)
    spoil(server, vendor, attack, vendor.other)
    must(client.pull("family"))
    message = client.refuses("--depth=1", "family")
    assert kind != GPG or f"Commit {vendor.other}: " in message
    assert client.commits() == {child}
    server.faults.clear()
    must(client.pull("--depth=1", "family"))
    assert client.commits() == {child, vendor.other}


def test_signed_commit_under_the_name_of_another_is_refused(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    client.demand(kind)
    for extension in ("commit", "commitmeta"):
        data = vendor.file(vendor.old, extension).read_bytes()
        server.faults[f"{vendor.new[2:]}.{extension}"] = lambda reply, data=data: Reply(data)
    assert "Corrupted commit object" in client.refuses()
    assert client.commits() == set()


def test_signed_commit_of_another_ref_is_refused(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    client.demand(kind)
    server.faults["refs/heads/main"] = lambda reply: Reply(f"{vendor.other}\n".encode())
    assert "Commit has no requested ref ‘main’" in client.refuses()
    assert client.refs() == {}


def test_each_commit_is_asked_for_and_checked_once(
    vendor: Vendor, server: ScriptedServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says something else the second time is not asked a second time."""
    checked = []
    check = KeyedVerifier.check

    def count(self: KeyedVerifier, data: bytes, signatures: tuple[bytes, ...] | None) -> str:
        checked.append(data)
        return check(self, data, signatures)

    monkeypatch.setattr(KeyedVerifier, "check", count)
    client.demand("ed25519")
    told = must(client.pull("--depth=-1", "--json"))
    asked = [path for path in server.requests if path.endswith((".commit", ".commitmeta"))]
    assert len(asked) == len(set(asked)) == 4
    assert len(checked) == 2
    assert told.count("ed25519: Signature verified successfully with key") == 2


# -- more than one demand ----------------------------------------------------------------


def only(*kinds: str) -> Attack:
    """Return the attack that lets only signatures of some kinds be the vendor's."""

    def attack(vendor: Vendor, reply: Reply) -> Reply:
        good = decode_metadata(reply.body)
        evil = dict(decode_metadata(vendor.signatures(vendor.new, EVIL)))
        keys = {f"ostree.sign.{kind}" if kind != GPG else "ostree.gpgsigs" for kind in kinds}
        mixed = tuple((key, value if key in keys else evil[key]) for key, value in good)
        return Reply(encode_metadata(mixed))

    return attack


@pytest.mark.parametrize("engine", ENGINES)
def test_gnupg_and_an_engine_must_both_be_content(
    vendor: Vendor, server: ScriptedServer, client: Client, engine: str
) -> None:
    client.demand(GPG, engine)
    for kinds in ((), (GPG,), (engine,)):
        spoil(server, vendor, only(*kinds))
        client.refuses()
        assert client.commits() == set()
    spoil(server, vendor, only(GPG, engine))
    must(client.pull())


def test_one_of_several_engines_is_enough(
    vendor: Vendor, server: ScriptedServer, client: Client
) -> None:
    client.demand(*ENGINES)
    spoil(server, vendor, only())
    message = client.refuses()
    start = "Can't verify commit: (1 other invalid signatures): ed25519: Signature couldn't be"
    assert message.startswith(start)
    assert client.commits() == set()
    for engine in ENGINES:
        spoil(server, vendor, only(engine))
        must(client.pull())
        spoil(server, vendor, only())
        message = client.refuses()
        # Of what is stored the first engine is heard.
        assert message.startswith(f"Can't verify commit {vendor.new}: ed25519: Signature couldn't")


def test_good_signature_after_a_bad_one_counts(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    evil = dict(decode_metadata(vendor.signatures(vendor.new, EVIL)))
    good = decode_metadata(vendor.file(vendor.new, "commitmeta").read_bytes())
    both = tuple((key, Variant("aay", (*evil[key].value, *value.value))) for key, value in good)
    client.demand(kind)
    spoil(server, vendor, lambda _, reply: Reply(encode_metadata(both)))
    must(client.pull())


def test_caller_may_do_without_engines_but_not_by_that_without_gnupg(
    vendor: Vendor, server: ScriptedServer, client: Client
) -> None:
    careless = PullOptions(disable_sign_verify=True, network_retries=0)
    client.demand(GPG, "ed25519")
    spoil(server, vendor, only("ed25519"))
    with Repo.open(client.path) as repo, pytest.raises(VerificationError, match="public key not"):
        pull(repo, "origin", [Wanted("main")], careless)
    assert client.commits() == set()
    spoil(server, vendor, only(GPG))
    with Repo.open(client.path) as repo:
        pull(repo, "origin", [Wanted("main")], careless)
    assert client.refs() == {"origin:main": vendor.new}


# -- other sources -----------------------------------------------------------------------


@pytest.mark.parametrize("attack", [missing, empty, replayed, by_another, no_entries, wrong_type])
def test_repository_on_this_machine_is_trusted_no_more(
    tmp_path: Path, vendor: Vendor, kind: str, attack: Attack
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    detached = source / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    good = detached.read_bytes()
    spoiled = attack(vendor, Reply(good))
    if spoiled.status == NOT_FOUND.status:
        detached.unlink()
    else:
        detached.write_bytes(spoiled.body)
    client = Client(tmp_path / "client", vendor, f"file://{source}")
    client.demand(kind)
    lead = "Commit" if kind == GPG else "Can't verify commit"
    assert client.refuses().startswith(f"{lead} {vendor.new}: ")
    assert client.commits() == set()
    detached.write_bytes(good)
    must(client.pull())
    assert client.detached(vendor.new) == good


@pytest.mark.parametrize("attack", [empty, replayed, by_another])
def test_stored_signatures_survive_what_a_later_pull_from_here_gets(
    tmp_path: Path, vendor: Vendor, kind: str, attack: Attack
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    client = Client(tmp_path / "client", vendor, f"file://{source}")
    client.demand(kind)
    must(client.pull())
    before = client.detached(vendor.new)
    assert before is not None
    detached = source / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    detached.write_bytes(attack(vendor, Reply(before)).body)
    client.refuses()
    assert client.detached(vendor.new) == before


def test_stored_object_that_is_another_commit_is_not_verified_in_its_place(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    must(ours("pull-local", f"--repo={client.path}", vendor.path, vendor.new))
    for extension in ("commit", "commitmeta"):
        data = vendor.file(vendor.other, extension).read_bytes()
        place = client.path / vendor.file(vendor.new, extension).relative_to(vendor.path)
        place.unlink()
        place.write_bytes(data)
    client.demand(kind)
    spoil(server, vendor, missing)
    assert "Corrupted commit object" in client.refuses()


def test_what_is_stored_of_a_local_source_is_what_was_verified(
    tmp_path: Path, vendor: Vendor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    places = [
        source / vendor.file(vendor.new, extension).relative_to(vendor.path)
        for extension in ("commit", "commitmeta")
    ]
    good = [place.read_bytes() for place in places]
    check = CommitSignatures.check

    def check_and_swap(*arguments: object, **more: object) -> None:
        check(*arguments, **more)  # type: ignore[arg-type]
        for place, extension in zip(places, ("commit", "commitmeta"), strict=True):
            place.write_bytes(vendor.file(vendor.other, extension).read_bytes())

    monkeypatch.setattr(CommitSignatures, "check", check_and_swap)
    client = Client(tmp_path / "client", vendor, f"file://{source}")
    client.demand(kind)
    must(client.pull())
    stored = [client.path / place.relative_to(source) for place in places]
    assert [place.read_bytes() for place in stored] == good


def test_local_cache_cannot_bring_what_is_not_signed(
    tmp_path: Path, vendor: Vendor, client: Client, kind: str
) -> None:
    cache = copy_tree(vendor.path, tmp_path / "cache")
    cached = cache / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    cached.write_bytes(vendor.signatures(vendor.new, EVIL))
    client.demand(kind)
    client.refuses(f"--localcache-repo={cache}")
    assert client.commits() == set()
    cached.write_bytes(vendor.signatures(vendor.new))
    must(client.pull(f"--localcache-repo={cache}"))


def test_pull_local_asks_no_engine(tmp_path: Path, vendor: Vendor, client: Client) -> None:
    client.demand(*ENGINES, number=EVIL)
    words = ("pull-local", f"--repo={client.path}", "--remote=origin", vendor.path, "main")
    must(ours(*words))
    assert client.refs() == {"origin:main": vendor.new}
    assert client.refuses().startswith(f"Can't verify commit {vendor.new}: ed25519: ")


def test_repository_by_its_url_must_have_what_its_keys_remote_demands(
    tmp_path: Path, vendor: Vendor, client: Client
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    detached = source / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    detached.write_bytes(vendor.signatures(vendor.new, EVIL))
    client.demand("ed25519")
    url, terms = f"file://{source}", PullOptions(ref_remote="origin")
    with Repo.open(client.path) as repo:
        with pytest.raises(VerificationError, match="ed25519: Signature couldn't be verified"):
            pull(repo, url, [Wanted("main")], terms)
        assert client.commits() == set()
        pull(repo, url, [Wanted("main")], terms._replace(disable_sign_verify=True))


def test_repository_by_its_url_must_have_openpgp_signatures_unless_the_caller_says_no(
    tmp_path: Path, vendor: Vendor, client: Client
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    (source / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)).unlink()
    client.demand(GPG)
    url, terms = f"file://{source}", PullOptions(ref_remote="origin")
    with Repo.open(client.path) as repo:
        with pytest.raises(VerificationError, match=NO_GPG):
            pull(repo, url, [Wanted("main")], terms)
        with pytest.raises(RemoteNotFoundError, match="nobody"):
            pull(repo, url, [Wanted("main")], terms._replace(ref_remote="nobody"))
        assert client.commits() == set()
        pull_local(repo, str(source), [Wanted("main")], terms)
        pull(repo, url, [Wanted("main")], terms._replace(gpg_verify=False))
    must(ours("pull-local", f"--repo={client.path}", "--remote=nobody", source, "main"))
    assert set(client.refs()) == {"origin:main", "nobody:main"}


def in_place_of(vendor: Vendor, source: Path, kind: str) -> tuple[Path, Path]:
    """Return an object of `main` in a copy of the vendor's repository, and that of `other`."""
    found = []
    with Repo.open(vendor.path) as repo:
        for checksum in (vendor.new, vendor.other):
            tree = repo.load_commit(parse_checksum(checksum)).root_tree
            name = ObjectName(tree, ObjectType.DIRTREE)
            if kind == "file":
                name = ObjectName(repo.load_dirtree(tree).files[0][1], ObjectType.FILE)
            found.append(source / "objects" / repo.store.path_of(name))
    return found[0], found[1]


@pytest.mark.parametrize("kind", [GPG, "ed25519"])
@pytest.mark.parametrize("spoiled", ["dirtree", "file"])
@pytest.mark.parametrize("mode", ["archive", "bare-user-only"])
def test_objects_of_a_local_source_are_those_that_the_signed_commit_names(
    tmp_path: Path, vendor: Vendor, kind: str, spoiled: str, mode: str
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    place, other = in_place_of(vendor, source, spoiled)
    good = place.read_bytes()
    place.write_bytes(other.read_bytes())
    client = Client(tmp_path / "client", vendor, f"file://{source}", mode)
    client.demand(kind)
    assert f"Corrupted {spoiled} object" in client.refuses()
    local = ("pull-local", f"--repo={client.path}", "--remote=origin")
    if kind == GPG:
        refused = ours(*local, "--gpg-verify", source, "main")
        assert f"Corrupted {spoiled} object" in refused.err
        assert client.refs() == {}
    place.write_bytes(good)
    must(client.pull())
    must(ours("fsck", f"--repo={client.path}"))


def test_local_source_of_which_no_signatures_are_demanded_is_believed(
    tmp_path: Path, vendor: Vendor
) -> None:
    source = copy_tree(vendor.path, tmp_path / "source")
    place, other = in_place_of(vendor, source, "file")
    place.write_bytes(other.read_bytes())
    client = Client(tmp_path / "client", vendor, f"file://{source}")
    assert "Corrupted file object" in client.refuses("--untrusted")
    must(client.pull())  # as from the reference


# -- static deltas -----------------------------------------------------------------------


@pytest.fixture
def with_delta(tmp_path: Path, vendor: Vendor) -> Iterator[tuple[ScriptedServer, Client, Path]]:
    """A server with a delta to the newest commit, and a client that can use it."""
    source = copy_tree(vendor.path, tmp_path / "source")
    with scripted_server(source) as running:
        yield running, Client(tmp_path / "client", vendor, running.url, "bare-user-only"), source


def make_delta(source: Path, vendor: Vendor, *words: str) -> None:
    must(ours("static-delta", f"--repo={source}", "generate", "--empty", *words, "main"))
    must(ours("summary", f"--repo={source}", "--update"))


def test_delta_brings_no_commit_that_is_not_signed(
    vendor: Vendor, with_delta: tuple[ScriptedServer, Client, Path], kind: str
) -> None:
    _, client, source = with_delta
    detached = source / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    good = detached.read_bytes()
    detached.write_bytes(vendor.signatures(vendor.new, EVIL))
    make_delta(source, vendor)
    detached.write_bytes(good)
    client.demand(kind)
    client.refuses("--require-static-deltas")
    client.refuses()
    assert client.commits() == set()
    make_delta(source, vendor)
    must(client.pull("--require-static-deltas"))
    assert client.detached(vendor.new) == good


def test_signatures_beside_a_delta_are_checked_too(
    vendor: Vendor, with_delta: tuple[ScriptedServer, Client, Path], kind: str
) -> None:
    server, client, source = with_delta
    make_delta(source, vendor)
    client.demand(kind)
    spoil(server, vendor, by_another)
    client.refuses("--require-static-deltas")
    assert client.refs() == {}
    server.faults.clear()
    must(client.pull("--require-static-deltas"))


def test_commit_that_is_complete_needs_signatures_where_deltas_are_required(
    vendor: Vendor, with_delta: tuple[ScriptedServer, Client, Path], kind: str
) -> None:
    _, client, source = with_delta
    make_delta(source, vendor)
    must(ours("pull-local", f"--repo={client.path}", vendor.path, vendor.new))
    stored = client.path / vendor.file(vendor.new, "commitmeta").relative_to(vendor.path)
    stored.unlink()
    client.demand(kind)
    client.refuses("--require-static-deltas")
    assert client.refs() == {}


# -- interruptions -----------------------------------------------------------------------


def test_what_a_careless_pull_left_half_done_is_verified(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    spoil(server, vendor, by_another)
    server.faults[".filez"] = lambda reply: Reply(b"", 500)
    client.refuses()
    assert vendor.new in client.commits()  # the next one goes on from there
    client.demand(kind)
    del server.faults[".filez"]
    client.refuses()
    spoil(server, vendor, missing)
    client.refuses()
    assert client.refs() == {}
    server.faults.clear()
    must(client.pull())


def test_what_a_killed_pull_left_is_verified(
    vendor: Vendor, server: ScriptedServer, client: Client, kind: str
) -> None:
    spoil(server, vendor, by_another)
    server.faults[".filez"] = lambda reply: reply._replace(drip_s=60)
    words = [OURS, "pull", f"--repo={client.path}", "origin", "main"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while not any(path.endswith(".filez") for path in server.requests):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert client.commits() == {vendor.new}
    client.demand(kind)
    del server.faults[".filez"]
    client.refuses()
    assert client.refs() == {}
    server.faults.clear()
    must(client.pull())
    assert client.detached(vendor.new) == vendor.file(vendor.new, "commitmeta").read_bytes()
