"""What a remote demands of engines: how it is configured, and what is said of commits and all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import ConfigError, OstreeError, VerificationError, describe
from pyostree.formats.commit import Metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_COMMITS, FOR_SUMMARY, EngineDemand, read_engine_demand
from pyostree.remote.verify import verify_commit_data
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from pyostree.sign import trust
from pyostree.sign.detached import add_signature, decode_signatures
from pyostree.sign.engine import find_engine
from pyostree.sign.trust import TrustedKeys
from sign_lab import DUMMY_ENVIRONMENT, KeyPair, ed25519_pair, make_pair, spki_pair

DATA = b"a commit"
COMMIT = Checksum(bytes(32))
PAIRS = (ed25519_pair(), spki_pair())
NOT_THERE = "Requested signature type is not implemented"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_keys_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(trust, "SYSTEM_DIRS", (str(tmp_path / "system"),))


def configure(repo: Repo, lines: Sequence[str]) -> None:
    """Give the repository one remote with these options."""
    config = ("[core]", "repo_version=1", "mode=archive", '[remote "r"]', *lines)
    (Path(repo.path) / "config").write_text("\n".join(config))


def remotes_of(repo: Repo, *lines: str) -> Remotes:
    """Return remotes with one that has these options, read from a file."""
    configure(repo, lines)
    with Repo.open(repo.path) as again:
        return Remotes.load(again)


def demand_of(repo: Repo, *lines: str, option: str = FOR_COMMITS) -> EngineDemand | None:
    return read_engine_demand(remotes_of(repo, *lines), "r", option)


def keys_of(*pairs: KeyPair) -> list[str]:
    return [f"verification-{pair.engine}-key={pair.public}" for pair in pairs]


def signed(*pairs: KeyPair, data: bytes = DATA) -> Metadata:
    metadata: Metadata = ()
    for pair in pairs:
        key = find_engine(pair.engine).parse_secret_key(pair.secret)
        metadata = add_signature(key, data, metadata)
    return metadata


# -- configuration -----------------------------------------------------------------------


@pytest.mark.parametrize("option", [FOR_COMMITS, FOR_SUMMARY])
@pytest.mark.parametrize("value", [None, "", " ", "false", "0", " false"])
def test_nothing_is_demanded(repo: Repo, option: str, value: str | None) -> None:
    lines = [] if value is None else [f"{option}={value}"]
    assert demand_of(repo, *lines, option=option) is None


@pytest.mark.parametrize(
    "value",
    ["true", "1", "ed25519", "ed25519;", "ed25519;spki", "ed25519,spki", "spki;ed25519;", " spki"],
)
def test_keys_that_are_configured_count(repo: Repo, value: str) -> None:
    demand = demand_of(repo, f"sign-verify={value}", *keys_of(*PAIRS))
    assert demand is not None
    with demand:
        pair = PAIRS[1] if value == " spki" else PAIRS[0]
        assert demand.check_fetched(DATA, signed(pair)) == pair.said
        with pytest.raises(VerificationError):
            demand.check_fetched(DATA + b"!", signed(pair))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "nosuch",
            "ed25519;nosuch",
            "ed25519;;",
            ";",
            ",",
            "ed25519,",
            ",ed25519",
            "ed25519; spki",
        ),
        *(
            "true ",
            "true;",
            "True",
            "yes",
            "FALSE",
            "false ",
            "false;",
            "ED25519",
            "ed25519 ",
            "gpg",
        ),
        *("2", "none", "ed25519 spki", "ed25519:spki", r"ed25519\;spki", r"d\summy", "\x01"),
    ],
)
def test_what_is_no_list_of_engines_is_an_error(repo: Repo, value: str) -> None:
    with pytest.raises(OstreeError, match=f"{NOT_THERE}|cannot be interpreted"):
        demand_of(repo, f"sign-verify={value}", *keys_of(*PAIRS))


@pytest.mark.parametrize("option", [FOR_COMMITS, FOR_SUMMARY])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{}=spki"], "No keys found for required signapi type spki"),
        (["{}=ed25519;spki", *keys_of(PAIRS[0])], "No keys found for required signapi type spki"),
        (
            ["{}=ed25519", "verification-ed25519-key=c2hvcnQ="],
            "Failed loading 'ed25519' keys from inline `verification-key`",
        ),
        (
            ["{}=ed25519", "verification-ed25519-key="],
            "Failed loading 'ed25519' keys from inline `verification-key`",
        ),
        (
            ["{}=true", "verification-ed25519-file=/no/such/file"],
            "Failed loading 'ed25519' keys from '/no/such/file",
        ),
        (
            ["{}=spki", "verification-spki-file=/", *keys_of(*PAIRS)],
            "Failed loading 'spki' keys from '/",
        ),
        (
            ["{}=dummy", "verification-dummy-file=/etc/hostname"],
            "Failed loading 'dummy' keys from '/etc/hostname",
        ),
        (["{}=dummy", "verification-dummy-file="], "Failed loading 'dummy' keys from '"),
    ],
)
def test_keys_that_cannot_be_had_are_an_error(
    repo: Repo, option: str, lines: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        demand_of(repo, *(line.format(option) for line in lines), option=option)
    assert describe(caught.value) == message


def test_keys_of_file_and_line_count_both(repo: Repo, tmp_path: Path) -> None:
    others = [ed25519_pair(number) for number in (1, 2)]
    path = tmp_path / "keys"
    path.write_text("".join(pair.public_file for pair in others))
    lines = ["sign-verify=ed25519", f"verification-ed25519-file={path}", *keys_of(PAIRS[0])]
    demand = demand_of(repo, *lines)
    assert demand is not None
    for pair in (*others, PAIRS[0]):
        assert demand.check_fetched(DATA, signed(pair)) == pair.said
    with pytest.raises(VerificationError, match=r"Signature couldn't be verified with: key '"):
        demand.check_fetched(DATA, signed(ed25519_pair(3)))


def test_keys_of_this_machine_count_only_where_no_engine_is_named(
    repo: Repo, tmp_path: Path
) -> None:
    good, revoked = ed25519_pair(), ed25519_pair(1)
    (tmp_path / "system/trusted.ed25519").write_text(good.public_file + revoked.public_file)
    (tmp_path / "system/revoked.ed25519").write_text(revoked.public_file)
    demand = demand_of(repo, "sign-verify=true")
    assert demand is not None
    assert demand.check_fetched(DATA, signed(good)) == good.said
    with pytest.raises(VerificationError, match=r"^Can't verify commit: ed25519: Signature could"):
        demand.check_fetched(DATA, signed(revoked))
    with pytest.raises(VerificationError, match="spki: no keys loaded"):
        demand.check_fetched(DATA, signed(PAIRS[1]))
    with pytest.raises(ConfigError):
        demand_of(repo, "sign-verify=ed25519")


def test_file_of_revoked_keys_that_cannot_be_read_lets_nothing_pass(
    repo: Repo, tmp_path: Path
) -> None:
    (tmp_path / "system/trusted.ed25519").write_text(PAIRS[0].public_file)
    (tmp_path / "system/revoked.ed25519").write_text("\n")
    demand = demand_of(repo, "sign-verify=true")
    assert demand is not None
    with pytest.raises(VerificationError, match="Reading revoked keys from"):
        demand.check_fetched(DATA, signed(PAIRS[0]))


def test_temporary_remote_has_the_keys_of_another(repo: Repo) -> None:
    remotes = remotes_of(repo, "gpg-verify=false", *keys_of(PAIRS[0]))
    group = KeyFile()
    group.set_string('remote "peer"', "sign-verify", "ed25519")
    group.set_string('remote "peer"', "verification-ed25519-key", ed25519_pair(1).public)
    remotes.add_temporary("peer", group, key_owner="r")
    demand = read_engine_demand(remotes, "peer", FOR_COMMITS)
    assert demand is not None
    assert demand.check_fetched(DATA, signed(PAIRS[0])) == PAIRS[0].said
    with pytest.raises(VerificationError):
        demand.check_fetched(DATA, signed(ed25519_pair(1)))


def test_dummy_signatures_count_in_tests_only(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("dummy")
    monkeypatch.setenv(*next(iter(DUMMY_ENVIRONMENT.items())))
    metadata = signed(pair)
    demand = demand_of(repo, "sign-verify=true", *keys_of(pair))
    assert demand is not None
    assert demand.check_fetched(DATA, metadata) == pair.said
    monkeypatch.delenv(next(iter(DUMMY_ENVIRONMENT)))
    with pytest.raises(VerificationError, match="dummy signature type is only for ostree testing"):
        demand.check_fetched(DATA, metadata)


# -- what is said ------------------------------------------------------------------------


@pytest.fixture
def both(repo: Repo) -> EngineDemand:
    demand = demand_of(repo, "sign-verify=spki;ed25519", *keys_of(*PAIRS))
    assert demand is not None
    return demand


def failed(pair: KeyPair) -> str:
    named = pair.public_bytes.hex()
    return f"{pair.engine}: Signature couldn't be verified with: key '{named}'"


EVIL = (ed25519_pair(1), spki_pair(number=1))
ED25519, SPKI = PAIRS
WRONG = "Can't verify commit: "


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "Can't verify commit without detached metadata"),
        ((), f"{WRONG}No signatures found"),
        (signed(EVIL[0]), WRONG + failed(ED25519)),
        (signed(EVIL[1]), WRONG + failed(SPKI)),
        (signed(*EVIL), f"{WRONG}(1 other invalid signatures): {failed(SPKI)}"),
        ((("ostree.sign.spki", Variant("as", ("x",))),), f"{WRONG}No signatures found"),
        ((("ostree.sign.spki", Variant("aay", ())),), f"{WRONG}spki: no signatures found"),
        (
            (("ostree.sign.ed25519", Variant("aay", (b"short",))),),
            f"{WRONG}Invalid signature: Ill-formed input: expected 64 bytes, got 5 bytes",
        ),
    ],
)
def test_what_is_said_of_a_commit_that_came(
    both: EngineDemand, metadata: Metadata | None, message: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        both.check_fetched(DATA, metadata)
    assert describe(caught.value) == message


@pytest.mark.parametrize(
    ("value", "others"),
    [
        ("ed25519", 0),
        ("ed25519,ed25519", 0),
        ("ed25519;ed25519", 1),
        ("ed25519;ed25519,ed25519", 1),
    ],
)
def test_engine_that_is_named_twice_by_remote_add_is_asked_once(
    repo: Repo, value: str, others: int
) -> None:
    """What is named twice between semicolons the reference asks twice, and counts twice."""
    demand = demand_of(repo, f"sign-verify={value}", *keys_of(ED25519))
    assert demand is not None
    with pytest.raises(VerificationError) as caught:
        demand.check_fetched(DATA, signed(EVIL[0]))
    counted = f"({others} other invalid signatures): " if others else ""
    assert describe(caught.value) == WRONG + counted + failed(ED25519)
    assert demand.check_fetched(DATA, signed(ED25519)) == ED25519.said


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "spki: commit have no signatures of my type"),
        ((), "spki: commit have no signatures of my type"),
        (signed(EVIL[0]), "spki: commit have no signatures of my type"),
        (signed(*EVIL), failed(SPKI)),
    ],
)
def test_what_is_said_of_a_commit_that_is_stored(
    both: EngineDemand, metadata: Metadata | None, message: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        both.check_stored(COMMIT, DATA, metadata)
    assert describe(caught.value) == f"Can't verify commit {COMMIT}: {message}"
    assert both.check_stored(COMMIT, DATA, signed(EVIL[1], ED25519)) == ED25519.said


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ((), "No signatures found"),
        (signed(EVIL[0]), failed(ED25519)),
        (signed(*EVIL), f"(1 other invalid signatures): {failed(SPKI)}"),
    ],
)
def test_what_is_said_of_a_summary(both: EngineDemand, metadata: Metadata, message: str) -> None:
    with pytest.raises(VerificationError) as caught:
        both.check_signed(DATA, metadata)
    assert describe(caught.value) == message
    assert both.check_signed(DATA, signed(SPKI)) == SPKI.said


GOOD = encode_metadata(signed(*PAIRS))


@given(
    st.one_of(
        st.binary(max_size=300),
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(1, 255)).map(
            lambda flip: GOOD[: flip[0]] + bytes([GOOD[flip[0]] ^ flip[1]]) + GOOD[flip[0] + 1 :]
        ),
        st.integers(0, len(GOOD) - 1).map(lambda end: GOOD[:end]),
    )
)
def test_any_bytes_in_place_of_signatures_pass_only_with_one_that_is_good(data: bytes) -> None:
    verifiers = [
        find_engine(pair.engine).open_verifier(TrustedKeys((pair.public_bytes,))) for pair in PAIRS
    ]
    metadata = decode_signatures(data)
    good = dict(signed(*PAIRS))
    with EngineDemand(verifiers) as demand:
        try:
            demand.check_fetched(DATA, metadata)
        except VerificationError:
            return
    assert any(set(good[key].value) & set(value.value) for key, value in metadata if key in good)


# -- commits that lie anywhere -----------------------------------------------------------

BOTH_OFF = ("gpg-verify=false", "sign-verify=false")
NO_DEMAND = (
    "Cannot verify commit for remote r; GPG verification disabled, "
    "and no signapi verifiers configured"
)
NO_GPG = (
    "GPG verification enabled, but no signatures found "
    "(use gpg-verify=false in remote config to disable)"
)


def verify(repo: Repo, *lines: str, detached: bytes | None = GOOD, skip: str = "") -> str | None:
    configure(repo, lines)
    options = {"skip_gpg": "gpg" in skip, "skip_engines": "engines" in skip}
    with Repo.open(repo.path) as again:
        found = verify_commit_data(Remotes.load(again), "r", DATA, detached, **options)
    assert found.gpg == ()
    return found.engines


def test_good_commit_that_lies_anywhere_passes(repo: Repo) -> None:
    lines = ["sign-verify=ed25519", *keys_of(*PAIRS)]
    assert verify(repo, "gpg-verify=false", *lines) == PAIRS[0].said
    assert verify(repo, *lines, skip="gpg") == PAIRS[0].said


@pytest.mark.parametrize(
    ("lines", "detached", "skip", "message"),
    [
        ((), GOOD, "gpg engines", "No commit verification types enabled via API"),
        (BOTH_OFF, GOOD, "", NO_DEMAND),
        (BOTH_OFF, None, "gpg", NO_DEMAND),
        (("sign-verify=ed25519", *keys_of(*PAIRS)), GOOD, "", NO_GPG),
        ((), None, "", "Can't verify commit without detached metadata"),
        ((), b"", "", NO_GPG),
        (("sign-verify=nosuch",), GOOD, "", NOT_THERE),
        (("sign-verify=spki",), GOOD, "", "No keys found for required signapi type spki"),
        (
            ("sign-verify=spki", *keys_of(*PAIRS)),
            encode_metadata(signed(*EVIL)),
            "gpg",
            WRONG + failed(SPKI),
        ),
    ],
)
def test_commit_that_lies_anywhere_does_not_pass(
    repo: Repo, lines: tuple[str, ...], detached: bytes | None, skip: str, message: str
) -> None:
    with pytest.raises(OstreeError) as caught:
        verify(repo, *lines, detached=detached, skip=skip)
    assert describe(caught.value) == message
