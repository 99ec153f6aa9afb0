"""What ``remote add`` writes for keys of engines that the installed reference does not know.

Its own table (tests/interop) compares the rest; the expectations here are those of newer releases.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyostree.errors import FormatError, OstreeError
from pyostree.formats.keyfile import KeyFile
from pyostree.remote.add_remote import NewRemote, add_remote
from pyostree.remote.remotes import Remotes
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo
from repo_lab import Result, must, ours
from sign_lab import ed25519_pair, make_pair, sign_with, spki_pair

ED, SPKI = ed25519_pair(), spki_pair("p256")
URL = "http://a"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """An empty repository."""
    path = tmp_path / "repo"
    must(ours("init", f"--repo={path}", "--mode=archive"))
    return path


def add(repo: Path, *words: str) -> Result:
    return ours("remote", "add", f"--repo={repo}", *words, "x", URL)


def written(repo: Path) -> list[str]:
    """Return the lines of the new remote."""
    lines = (repo / "config").read_text().split('[remote "x"]\n')[1].splitlines()
    assert lines[0] == f"url={URL}"
    return lines[1:]


WRITTEN = {
    "one engine": (
        [f"--sign-verify=ed25519=inline:{ED.public}"],
        [f"verification-ed25519-key={ED.public}", "sign-verify=ed25519"],
    ),
    "two engines": (
        ["--sign-verify=spki=file:/k.pem", f"--sign-verify=ed25519=inline:{ED.public}"],
        [
            "verification-spki-file=/k.pem", f"verification-ed25519-key={ED.public}",
            "sign-verify=spki,ed25519",
        ],
    ),
    "all engines, without OpenPGP": (
        [
            "--no-gpg-verify", f"--sign-verify=spki=inline:{SPKI.public}",
            "--sign-verify=dummy=inline:a", "--sign-verify=ed25519=file:rel/path",
        ],
        [
            "gpg-verify=false", f"verification-spki-key={SPKI.public}", "verification-dummy-key=a",
            "verification-ed25519-file=rel/path", "sign-verify=spki,dummy,ed25519",
        ],
    ),
    "a key and a file": (
        ["--sign-verify=ed25519=file:/k", f"--sign-verify=ed25519=inline:{ED.public}"],
        [
            "verification-ed25519-file=/k", f"verification-ed25519-key={ED.public}",
            "sign-verify=ed25519,ed25519",
        ],
    ),
    "no key at all": (
        ["--sign-verify=ed25519=inline:not//a=key:"],
        ["verification-ed25519-key=not//a=key:", "sign-verify=ed25519"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "lines"), WRITTEN.values(), ids=WRITTEN)
def test_keys_are_written_as_the_reference_has_them(
    repo: Path, words: list[str], lines: list[str]
) -> None:
    assert add(repo, *words) == Result(0, "", "")
    assert written(repo) == lines


REFUSED = {
    "": "Failed to parse KEYTYPE=[inline|file]:DATA in ",
    "ed25519": "Failed to parse KEYTYPE=[inline|file]:DATA in ed25519",
    "ed25519=": "Invalid key reference , expected inline|file",
    "ed25519=inline": "Invalid key reference inline, expected inline|file",
    "ed25519=:x": "Invalid key reference , expected inline|file",
    "ed25519=Inline:x": "Invalid key reference Inline, expected inline|file",
    "spki = inline:x": "Requested signature type is not implemented",
    "ED25519=inline:x": "Requested signature type is not implemented",
    "gpg=inline:x": "Requested signature type is not implemented",
    "=inline:x": "Requested signature type is not implemented",
    "rot13=bad": "Requested signature type is not implemented",
}


@pytest.mark.parametrize(("spec", "error"), REFUSED.items(), ids=REFUSED)
def test_what_is_no_key_is_refused_and_nothing_is_written(
    repo: Path, spec: str, error: str
) -> None:
    before = (repo / "config").read_bytes()
    good = f"--sign-verify=ed25519=inline:{ED.public}"
    for words in ([f"--sign-verify={spec}"], [good, f"--sign-verify={spec}"]):
        assert add(repo, *words) == Result(1, "", f"error: {error}\n")
    assert (repo / "config").read_bytes() == before


@pytest.mark.parametrize("separator", [",", ";"])
def test_either_separator_of_engines_is_read(repo: Path, separator: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    must(ours("init", f"--repo={source}", "--mode=archive"))
    (tmp_path / "tree").mkdir()
    checksum = must(ours("commit", f"--repo={source}", "--branch=main", str(tmp_path / "tree")))
    keys = [f"--sign-verify={pair.engine}=inline:{pair.public}" for pair in (ED, SPKI)]
    must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", *keys, "x", f"file://{source}"))
    config = repo / "config"
    config.write_text(config.read_text().replace("ed25519,spki", f"ed25519{separator}spki"))
    assert ours("pull", f"--repo={repo}", "x", "main").status == 1
    assert must(ours("refs", f"--repo={repo}")) == ""
    sign_with(source, checksum, make_pair("ed25519", 7))
    assert ours("pull", f"--repo={repo}", "x", "main").status == 1
    sign_with(source, checksum, SPKI)
    must(ours("pull", f"--repo={repo}", "x", "main"))


# -- hostile values ------------------------------------------------------------------------------

# Everything that a key file gives a meaning to, what is not text, and what Python alone can say.
_AWKWARD = st.text(alphabet="\n\r\t\f\v\0 =[]#;,\\\"':ä\udcff\ud800a", max_size=12) | st.text(
    max_size=8
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with Repo.create(tmp_path_factory.mktemp("hostile") / "repo", RepoMode.ARCHIVE) as repo:
        yield repo


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    key=st.just("verification-ed25519-key") | _AWKWARD,
    value=_AWKWARD,
    inline=_AWKWARD,
    branches=st.lists(_AWKWARD, max_size=2),
    name=st.just("x") | _AWKWARD,
)
def test_any_value_is_read_back_as_it_was_or_nothing_is_written(
    opened: Repo, key: str, value: str, inline: str, branches: list[str], name: str
) -> None:
    path = Path(opened.path, "config")
    before = path.read_bytes()
    new = NewRemote(
        name, value, tuple(branches), ((key, value),), sign_verify=(f"spki=inline:{inline}",)
    )
    try:
        add_remote(Remotes.load(opened), new)
    except OstreeError:
        assert path.read_bytes() == before
        return
    assert path.read_bytes().startswith(before)
    with Repo.open(opened.path) as repo:
        remotes = Remotes.load(repo)
        assert remotes.names() == [name]
        expected = {
            "url": value, key: value, "verification-spki-key": inline, "sign-verify": "spki",
        }  # fmt: skip
        if value.startswith("metalink="):
            expected.pop("url")
        assert {one: remotes.get(name, one) for one in expected} == expected
        assert repo.config.mode is RepoMode.ARCHIVE
        remotes.delete(name)
    opened.write_config(KeyFile.parse(before))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "settings",
    [{"#k": "v"}, {"k[de]": "v"}, {"k\t": "v"}, {"k": "\fv"}, {"k": "\udcff"}, {"\ud800": "v"}],
    ids=ascii,
)
def test_setting_that_a_reader_would_miss_is_refused(
    opened: Repo, settings: dict[str, str]
) -> None:
    before = Path(opened.path, "config").read_bytes()
    with pytest.raises(FormatError, match="A configuration file cannot hold key '"):
        add_remote(Remotes.load(opened), NewRemote("x", URL, options=tuple(settings.items())))
    assert Path(opened.path, "config").read_bytes() == before


def test_url_that_is_no_text_does_not_cost_the_repository(repo: Path) -> None:
    # The reference writes it, and cannot open the repository any more.
    failed = ours("remote", "add", f"--repo={repo}", "x", "http://\udcff")
    assert failed == Result(
        1, "", "error: A configuration file cannot hold key 'url' with this value\n"
    )
    assert must(ours("remote", "list", f"--repo={repo}")) == ""


def test_remote_without_end_is_refused(opened: Repo) -> None:
    before = Path(opened.path, "config").read_bytes()
    with pytest.raises(FormatError, match="A remote may have 524288 bytes of settings"):
        add_remote(
            Remotes.load(opened), NewRemote("x", URL, sign_verify=("spki=inline:" + "A" * 600_000,))
        )
    huge = KeyFile.parse(before)
    huge.set_raw("core", "note", "A" * (17 << 20))
    with pytest.raises(FormatError, match="A configuration may have"):
        opened.write_config(huge)
    assert Path(opened.path, "config").read_bytes() == before
