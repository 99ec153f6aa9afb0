"""Remotes: where they are found, inheritance, what adding and deleting write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ConfigError, ConflictError, FormatError, OstreeError
from pyostree.fs.dir import Dir
from pyostree.remote.add_remote import IfExists, NewRemote, add_remote, parse_setting
from pyostree.remote.endpoints import fetch_settings, read_demands
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import FOR_COMMITS, read_engine_demand
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER_ONLY) as made:
        yield made


def config(repo: Repo) -> str:
    return repo.dir.read_file("config").decode()


def configure(repo: Repo, text: str) -> Remotes:
    (Path(repo.path) / "config").write_text(f"[core]\nrepo_version=1\nmode=bare-user-only\n{text}")
    with Repo.open(repo.path) as again:
        return Remotes.load(again)


def test_add_writes_keys_in_the_order_of_the_reference(repo: Repo) -> None:
    new = NewRemote(
        "x",
        "http://h/r",
        ("a", "b"),
        options=(("k", "  v"), ("url", "http://other")),
        sign_verify=("ed25519=inline:KEY", "spki=file:/path:x"),
        custom_backend="B",
        contenturl="http://c",
        collection_id="org.x.Y",
        gpg_verify=False,
    )
    add_remote(Remotes.load(repo), new)
    assert config(repo).partition('[remote "x"]\n')[2] == (
        "url=http://other\nbranches=a;b;\ncontenturl=http://c\ncustom-backend=B\nk=\\s\\sv\n"
        "gpg-verify=false\nverification-ed25519-key=KEY\nverification-spki-file=/path:x\n"
        "sign-verify=ed25519,spki\ncollection-id=org.x.Y\n"
    )


def test_add_existing_fails_keeps_or_replaces(repo: Repo) -> None:
    remotes = Remotes.load(repo)
    add_remote(remotes, NewRemote("x", "http://one"))
    add_remote(remotes, NewRemote("y", "metalink=http://m"))
    with pytest.raises(ConflictError) as failed:
        add_remote(remotes, NewRemote("x", "http://two"))
    assert str(failed.value) == 'Remote configuration for "x" already exists: (in config)'
    add_remote(remotes, NewRemote("x", "http://two"), IfExists.KEEP)
    assert remotes.url("x") == "http://one"
    add_remote(remotes, NewRemote("x", "http://two"), IfExists.REPLACE)
    assert remotes.url("x") == "http://two"
    assert config(repo).endswith(
        '\n[remote "y"]\nmetalink=http://m\n\n[remote "x"]\nurl=http://two\n'
    )
    assert remotes.names() == ["x", "y"]
    with pytest.raises(ConfigError, match=r'^No "url" option in remote "y"$'):
        remotes.url("y")


def test_file_with_several_remotes_keeps_the_others(tmp_path: Path) -> None:
    place = tmp_path / "etc/ostree/remotes.d"
    place.mkdir(parents=True)
    (tmp_path / "sysroot").mkdir()
    (tmp_path / "ostree").mkdir()
    shared = place / "shared.conf"
    shared.write_text('[other]\nx=1\n\n[remote "one"]\nurl=1\n\n[remote "two"]\nurl=2\n')
    Repo.create(tmp_path / "ostree/repo", RepoMode.BARE_USER_ONLY).close()
    with Dir.at(tmp_path) as root, Repo.open_below(root, "ostree/repo", sysroot_dir=root) as repo:
        remotes = Remotes.load(repo)
        add_remote(remotes, NewRemote("one", "new"), IfExists.REPLACE)
        assert shared.read_text() == (
            '[other]\nx=1\n\n[remote "two"]\nurl=2\n\n[remote "one"]\nurl=new\n'
        )
        assert [Remotes.load(repo).url(name) for name in ("one", "two")] == ["new", "2"]
        remotes.delete("two")
        assert shared.read_text() == '[other]\nx=1\n\n[remote "one"]\nurl=new\n'
        remotes.delete("one")
        assert not shared.exists()


def test_missing_remote_may_be_deleted_but_not_a_bad_name(repo: Repo) -> None:
    Remotes.load(repo).delete("none", missing_ok=True)
    with pytest.raises(OstreeError, match=r"^Invalid remote name a b$"):
        Remotes.load(repo).delete("a b", missing_ok=True)


def test_delete_removes_keyring(repo: Repo) -> None:
    remotes = Remotes.load(repo)
    add_remote(remotes, NewRemote("x", "http://one"))
    repo.dir.create_file("x.trustedkeys.gpg")
    repo.dir.create_file("x.cookies.txt")
    remotes.delete("x")
    assert "remote" not in config(repo)
    assert not repo.dir.exists("x.trustedkeys.gpg")
    assert repo.dir.exists("x.cookies.txt")
    with pytest.raises(OstreeError, match=r'^Remote "x" not found$'):
        remotes.delete("x")


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewRemote("a b", "u"), "Invalid remote name a b"),
        (NewRemote("x", "u", sign_verify=("ed25519",)), "Failed to parse KEYTYPE="),
        (NewRemote("x", "u", sign_verify=("rot13=inline:x",)), "type is not implemented"),
        (NewRemote("x", "u", sign_verify=("spki=bar:x",)), "Invalid key reference bar, expected"),
        (
            NewRemote("x", "u", sign_verify=("spki=file:x",), no_sign_verify=True),
            "Cannot specify both --sign-verify and --no-sign-verify",
        ),
        (NewRemote("x", "u", options=(("a=b", "c"),)), "Invalid key name: a=b"),
    ],
)
def test_bad_remote_changes_nothing(repo: Repo, new: NewRemote, message: str) -> None:
    before = config(repo)
    with pytest.raises(OstreeError) as failed:
        add_remote(Remotes.load(repo), new)
    assert message in str(failed.value)
    assert config(repo) == before


def test_parse_setting_without_equals() -> None:
    with pytest.raises(FormatError, match=r"^Missing '=' in KEY=VALUE for --set$"):
        parse_setting("a")


def test_options_come_from_the_parent(repo: Repo, tmp_path: Path) -> None:
    with Repo.create(tmp_path / "parent", RepoMode.BARE_USER_ONLY) as parent:
        add_remote(
            Remotes.load(parent),
            NewRemote("x", "http://p", options=(("proxy", "http://proxy"), ("http2", "false"))),
        )
        add_remote(Remotes.load(parent), NewRemote("only", "http://only"))
    remotes = configure(repo, f'parent={tmp_path}/parent\n[remote "x"]\nurl=http://own\n')
    assert remotes.url("x") == "http://own"
    assert remotes.get("x", "proxy") == "http://proxy"
    assert remotes.get_bool("x", "http2", True) is False
    assert remotes.get("x", "none", "default") == "default"
    assert remotes.url("only") == "http://only"
    assert remotes.names() == ["only", "x"]
    assert not remotes.has_own("only")
    with pytest.raises(OstreeError, match=r'^Remote "none" not found$'):
        remotes.get("none", "url")


def test_bad_boolean_is_reported(repo: Repo) -> None:
    remotes = configure(repo, '[remote "x"]\nurl=u\ngpg-verify=maybe\n')
    with pytest.raises(FormatError, match="which has a value that cannot be interpreted"):
        read_demands(remotes, "x")


def test_file_url_as_name_has_defaults(repo: Repo) -> None:
    remotes = Remotes.load(repo)
    assert remotes.url("file:///srv") == "file:///srv"
    assert remotes.get_list("file:///srv", "branches") is None
    assert not any(read_demands(remotes, "file:///srv"))


@pytest.mark.parametrize(
    ("keys", "demanded"),
    [
        ("", {"gpg_commits"}),
        ("gpg-verify=false\n", set()),
        ("gpg-verify=0\ngpg-verify-summary=1\n", {"gpg_summary"}),
        ("gpg-verify=0\nsign-verify=true\n", {"engine_commits"}),
        ("gpg-verify=0\nsign-verify=ed25519\n", {"engine_commits"}),
        ("gpg-verify=0\nsign-verify=\n", set()),
        ("gpg-verify=0\nsign-verify=false \n", {"engine_commits"}),
        ("gpg-verify=0\nsign-verify=FALSE\n", {"engine_commits"}),
        ("gpg-verify=0\nsign-verify=;\n", {"engine_commits"}),
        ("gpg-verify=0\nsign-verify=false\nsign-verify-summary=0\n", set()),
        ("gpg-verify=0\nsign-verify-summary=spki;\n", {"engine_summary"}),
    ],
)
def test_demanded_signatures(repo: Repo, keys: str, demanded: set[str]) -> None:
    demands = read_demands(configure(repo, f'[remote "x"]\nurl=u\n{keys}'), "x")
    assert {key for key, value in demands._asdict().items() if value} == demanded


@pytest.mark.parametrize("value", ["maybe", "\\x"])
def test_what_a_parent_says_wrongly_is_not_taken_for_nothing(
    repo: Repo, tmp_path: Path, value: str
) -> None:
    configure(repo, f'[remote "x"]\nurl=u\nsign-verify={value}\n')
    with Repo.create(tmp_path / "child", RepoMode.BARE_USER_ONLY) as child:
        text = f'parent={tmp_path / "repo"}\n[remote "x"]\ngpg-verify=false\n'
        with pytest.raises(OstreeError, match=r"not implemented|cannot be interpreted"):
            read_engine_demand(configure(child, text), "x", FOR_COMMITS)


def test_certificate_needs_its_key(repo: Repo) -> None:
    remotes = configure(repo, '[remote "x"]\nurl=u\ntls-client-cert-path=/c\n')
    with pytest.raises(ConfigError, match="must specify both"):
        fetch_settings(repo, remotes, "x")


class TestRemotesDirectory:
    """``etc/ostree/remotes.d`` of a sysroot."""

    @pytest.fixture
    def sysroot(self, tmp_path: Path) -> Path:
        (tmp_path / "root/ostree").mkdir(parents=True)
        (tmp_path / "root/sysroot").mkdir()
        Repo.create(tmp_path / "root/ostree/repo", RepoMode.BARE_USER_ONLY).close()
        return tmp_path / "root"

    def open(self, sysroot: Path) -> Repo:
        root = Dir.at(sysroot)
        return Repo.open_below(root, "ostree/repo", sysroot_dir=root)

    def test_new_remote_gets_a_file(self, sysroot: Path) -> None:
        with self.open(sysroot) as repo:
            add_remote(Remotes.load(repo), NewRemote("x", "http://h"))
            file = sysroot / "etc/ostree/remotes.d/x.conf"
            assert file.read_text() == '[remote "x"]\nurl=http://h\n'
            remotes = Remotes.load(repo)
            assert remotes.url("x") == "http://h"
            with pytest.raises(ConflictError, match=f"already exists: {file}$"):
                add_remote(remotes, NewRemote("x", "http://two"))
            remotes.delete("x")
            assert not file.exists()

    def test_physical_root_keeps_them_in_config(self, sysroot: Path) -> None:
        (sysroot / "sysroot").rmdir()
        with self.open(sysroot) as repo:
            add_remote(Remotes.load(repo), NewRemote("x", "http://h"))
            assert '[remote "x"]' in config(repo)

    def test_configuration_may_keep_them(self, sysroot: Path) -> None:
        with (sysroot / "ostree/repo/config").open("a") as file:
            file.write("add-remotes-config-dir=false\n")
        with self.open(sysroot) as repo:
            add_remote(Remotes.load(repo), NewRemote("x", "http://h"))
            assert '[remote "x"]' in config(repo)
        assert not (sysroot / "etc").exists()

    def test_bad_files_are_named(self, sysroot: Path) -> None:
        directory = sysroot / "etc/ostree/remotes.d"
        directory.mkdir(parents=True)
        (directory / "ignored.txt").write_text("junk")
        (directory / "a.conf").write_text('[remote "x"]\nurl=1\n')
        with self.open(sysroot) as repo:
            assert Remotes.load(repo).names() == ["x"]
            (directory / "b.conf").write_text('[remote "x"]\nurl=2\n')
            with pytest.raises(ConfigError, match=r"^Multiple specifications found for"):
                Remotes.load(repo)
            (directory / "b.conf").write_text("junk")
            with pytest.raises(
                FormatError, match=rf"^Failed to parse {directory}/b.conf: Key file"
            ):
                Remotes.load(repo)
