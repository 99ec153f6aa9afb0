"""Static deltas of both commands: made, shown and applied the same way by either."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import ScriptedServer, scripted_server
from repo_lab import (
    Command,
    check_both,
    commit,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    write_files,
)

SAMPLES = Path("/usr/libexec/installed-tests/libostree")
MAKERS = pytest.mark.parametrize("maker", [ours, reference], ids=["by-us", "by-reference"])
USERS = pytest.mark.parametrize("user", [ours, reference], ids=["for-us", "for-reference"])
BARE_MODES = pytest.mark.parametrize("mode", ["bare", "bare-user", "bare-user-only"])
OWNER = ("--owner-uid=0", "--owner-gid=0", "--canonical-permissions")


class Published:
    """Two commits of ``main``: files added, removed, changed a little, and unchanged."""

    def __init__(self, base: Path) -> None:
        noise = random.Random(1).randbytes(400_000)
        tree = write_files(
            base / "tree",
            {
                "lib/libone.so.1": noise,
                "lib/same": "same\n" * 50,
                "old": "old\n",
                "note.txt": "one",
            },
        )
        (tree / "lib/link").symlink_to("same")
        self.repo = make_repo(base / "repo")
        self.old = commit(self.repo, "-b", "main", f"--tree=dir={tree}", *OWNER)
        (tree / "old").unlink()
        (tree / "lib/libone.so.1").unlink()
        changed = bytearray(noise[:200_000] + b"inserted" * 20 + noise[200_000:])
        changed[7], changed[-7] = 0, 255
        write_files(
            tree,
            {"lib/libone.so.2": bytes(changed), "new/executable": "#!", "note.txt": "two!"},
        )
        (tree / "new/executable").chmod(0o755)
        (tree / "lib/link").unlink()
        (tree / "lib/link").symlink_to("../note.txt")
        parent = f"--parent={self.old}"
        self.new = commit(self.repo, "-b", "main", parent, f"--tree=dir={tree}", *OWNER)

    def copy(self, path: Path) -> Path:
        """Return a copy of the repository."""
        subprocess.run(["cp", "-a", self.repo, path], check=True)
        return path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))


def generate(command: Command, repo: Path, *words: str) -> str:
    """Make a delta and return what was said about its objects."""
    result = command("static-delta", "generate", f"--repo={repo}", *words)
    assert result.status == 0, result.err
    return result.err


def deltas_of(repo: Path) -> list[Path]:
    """Return the directories of all deltas, those from nothing first."""
    found = [path.parent for path in (repo / "deltas").rglob("superblock")]
    return sorted(found, key=lambda path: len(path.name))


@pytest.mark.parametrize(
    "words",
    [
        ("main",), ("main", "--disable-bsdiff"), ("main", "--empty"), ("main", "--inline"),
        ("--from=main^", "--to=main", "--swap-endianness"), ("main", "--set-endianness=B"),
        ("main", "--max-chunk-size=0"), ("main", "--max-bsdiff-size=0", "--empty"),
        ("main", "--empty", "--min-fallback-size=0"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_same_delta(published: Published, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Sizes and counts agree; the order of objects is each command's own."""
    said, shown = [], []
    for index, command in enumerate((ours, reference)):
        repo = published.copy(tmp_path / str(index))
        said.append(generate(command, repo, *words).splitlines())
        name = must(reference("static-delta", "list", f"--repo={repo}"))
        assert must(ours("static-delta", "list", f"--repo={repo}")) == name
        for reader in (ours, reference):
            lines = reader("static-delta", "show", f"--repo={repo}", name).out.splitlines()
            shown.append([line for line in lines if is_stable(line)])
    assert stable_counts(said[0]) == stable_counts(said[1])
    if "--inline" in words:  # where the reference stops after the first PartMeta
        assert shown[1][-1].startswith("PartMeta0")
        for index in (0, 2):
            assert shown[index][: len(shown[index + 1])] == shown[index + 1]
            assert shown[index][-1].startswith("Total Uncompressed Size")
    else:
        assert shown[0] == shown[1]
        assert shown[2] == shown[3]
    assert [line.split(":")[0] for line in shown[0]] == [line.split(":")[0] for line in shown[2]]


def is_stable(line: str) -> bool:
    return not line.startswith("Timestamp")


def stable_counts(lines: list[str]) -> list[str]:
    """Leave out compressed sizes, which the order of objects changes."""
    return sorted(
        line for line in lines if "compressed" not in line and not line.startswith("processing")
    )


@MAKERS
@USERS
@BARE_MODES
@pytest.mark.parametrize("words", [(), ("--inline",), ("--max-chunk-size=0",)], ids=str)
def test_applied_offline(
    published: Published,
    tmp_path: Path,
    maker: Command,
    user: Command,
    mode: str,
    words: tuple[str, ...],
) -> None:
    source = published.copy(tmp_path / "source")
    generate(maker, source, "main^", "--empty", *words)
    generate(maker, source, "main", *words)
    client = make_repo(tmp_path / "client", mode)
    for delta in deltas_of(source):
        must(user("static-delta", "apply-offline", f"--repo={client}", delta))
    check_both(client)
    assert names(client) == names(source)
    assert not refs_of(client)


def names(repo: Path) -> set[str]:
    return {name.removesuffix("z") for name in object_names(repo)}


def test_file_name_of_choice(published: Published, tmp_path: Path) -> None:
    source = published.copy(tmp_path / "source")
    (tmp_path / "out").mkdir()
    generate(ours, source, "main", "--empty", f"--filename={tmp_path}/out/some.delta")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "some.delta"]
    for command in (ours, reference):
        assert must(command("static-delta", "list", f"--repo={source}")) == "(No static deltas)"
        client = make_repo(tmp_path / command.__name__, "bare-user")
        delta = tmp_path / "out/some.delta"
        must(command("static-delta", "apply-offline", f"--repo={client}", delta))
        check_both(client)
        must(command("rev-parse", f"--repo={client}", published.new))


@pytest.mark.parametrize("order", ["little", "big"])
def test_deltas_of_very_old_versions(tmp_path: Path, order: str) -> None:
    archive = SAMPLES / f"pre-endian-deltas-repo-{order}.tar.xz"
    subprocess.run(["tar", "-C", tmp_path, "-xf", archive], check=True)
    repo = tmp_path / "pre-endian-deltas-repo"
    for name in must(reference("static-delta", "list", f"--repo={repo}")).splitlines():
        words = ("static-delta", "show", f"--repo={repo}", name)
        assert must(ours(*words)).startswith(reference(*words).out.strip())
    must(ours("summary", "-u", f"--repo={repo}"))
    old = must(reference("rev-parse", f"--repo={repo}", "main^"))
    results = []
    for command in (ours, reference):
        client = make_repo(tmp_path / command.__name__, "bare-user")
        must(ours("pull-local", f"--repo={client}", repo, old))
        words = (f"--repo={client}", repo, "main", "--require-static-deltas")
        results.append(command("pull-local", *words).status)
        check_both(client)
    # Without a mark the byte order is guessed, and for tiny deltas wrongly, as by the reference.
    assert results == [order == "little"] * 2


# -- pulling -----------------------------------------------------------------------------


@pytest.fixture
def source(published: Published, tmp_path: Path) -> Path:
    return published.copy(tmp_path / "source")


@pytest.fixture
def server(source: Path) -> Iterator[ScriptedServer]:
    with scripted_server(source) as running:
        yield running


def client_of(path: Path, url: str, mode: str = "bare-user") -> Path:
    repo = make_repo(path, mode)
    must(reference("remote", "add", f"--repo={repo}", "--no-gpg-verify", "origin", url))
    return repo


@MAKERS
@USERS
@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        ("ref", "summary"), ("commit", "summary"), ("ref", "index"), ("commit", "index"),
        ("ref", "nowhere"),  # without a list, only a ref tells from where a delta may start
    ],
)  # fmt: skip
def test_pull_takes_the_delta(  # noqa: PLR0913, PLR0917 - all combinations matter
    published: Published,
    server: ScriptedServer,
    tmp_path: Path,
    maker: Command,
    user: Command,
    wanted: str,
    listed: str,
) -> None:
    source = server.root
    generate(maker, source, "main")
    if listed != "nowhere":
        must(ours("summary", "-u", f"--repo={source}"))
    if listed == "index":
        (source / "summary").unlink()
    client = client_of(tmp_path / "client", server.url)
    must(ours("pull", f"--repo={client}", "origin", f"main@{published.old}"))
    server.requests.clear()
    name = "main" if wanted == "ref" else published.new
    words = ("--require-static-deltas",) if listed == "summary" else ()
    if user is reference:  # 2022.7 walks the tree beside applying the delta
        must(user("pull", f"--repo={client}", "origin", name, *words))
    else:
        said = must(user("pull", f"--repo={client}", "origin", name, *words))
        assert said.startswith("1 delta parts, ")
        assert said.endswith("0 bytes content written")
        assert not [path for path in server.requests if path.endswith((".filez", ".dirtree"))]
    assert [path for path in server.requests if path.endswith("/0")]
    check_both(client)
    assert must(reference("rev-parse", f"--repo={client}", published.new)) == published.new
    assert names(client) >= names(source)
    assert not list((client / "state").glob("*.commitpartial"))
    if wanted == "ref":
        assert refs_of(client) == {"remotes/origin/main": f"{published.new}\n"}


def test_pull_from_nothing_with_fallback(
    published: Published, source: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    large = write_files(tmp_path / "large", {"large": bytes(range(256)) * 20_000, "small": "x"})
    commit(source, "-b", "large", f"--tree=dir={large}", *OWNER)
    assert "fallback for" in generate(ours, source, "large", "--empty")
    must(ours("summary", "-u", f"--repo={source}"))
    for command in (ours, reference):
        client = client_of(tmp_path / command.__name__, server.url)
        must(command("pull", f"--repo={client}", "origin", "large", "--require-static-deltas"))
        check_both(client)
    assert len([path for path in server.requests if path.endswith(".filez")]) >= 1


@pytest.mark.parametrize("words", [(), ("--swap-endianness",), ("--inline",)], ids=str)
def test_dry_run_says_the_same(
    published: Published,
    source: Path,
    server: ScriptedServer,
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    generate(ours, source, "main", *words)
    must(ours("summary", "-u", f"--repo={source}"))
    said = []
    for command in (ours, reference):
        client = client_of(tmp_path / command.__name__, server.url)
        must(ours("pull", f"--repo={client}", "origin", f"main@{published.old}"))
        before = object_names(client)
        dry = ("--dry-run", "--require-static-deltas")
        said.append(must(command("pull", f"--repo={client}", "origin", "main", *dry)))
        assert object_names(client) == before
        assert refs_of(client) == {"remotes/origin/main": f"{published.old}\n"}
    assert said[0] == said[1]
    assert said[0].startswith("Delta update: 0/1 parts, ")


def test_required_from_a_path_that_no_url_would_spell_so(source: Path, tmp_path: Path) -> None:
    generate(ours, source, "main", "--empty")
    must(ours("summary", "-u", f"--repo={source}"))
    odd = tmp_path / "a b#c%20d\udcff"
    odd.symlink_to(source)
    client = make_repo(tmp_path / "client", "bare-user")
    words = [f"--repo={client}", "--require-static-deltas", odd, "main"]
    assert must(ours("pull-local", *words)).startswith("1 delta parts, ")
    check_both(client)


def test_required_but_not_there(
    published: Published, source: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    client = client_of(tmp_path / "client", server.url)
    require = "--require-static-deltas"
    message = (
        "error: Fetch configured to require static deltas, "
        "but no summary deltas or delta index found\n"
    )
    for command in (ours, reference):
        assert command("pull", f"--repo={client}", "origin", "main", require).err == message
    must(ours("summary", "-u", f"--repo={source}"))
    message = f"error: Static deltas required, but none found for main to {published.new}\n"
    assert ours("pull", f"--repo={client}", "origin", "main", require).err == message
    archive = client_of(tmp_path / "archive", server.url, "archive")
    message = "error: Can't use static deltas in an archive repo\n"
    assert ours("pull", f"--repo={archive}", "origin", "main", require).err == message


def test_disabled_or_impossible(
    published: Published, source: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    generate(ours, source, "main", "--empty")
    must(ours("summary", "-u", f"--repo={source}"))
    client = client_of(tmp_path / "client", server.url)
    must(ours("pull", f"--repo={client}", "origin", "main", "--disable-static-deltas"))
    archive = client_of(tmp_path / "archive", server.url, "archive")
    must(ours("pull", f"--repo={archive}", "origin", "main"))
    assert not [path for path in server.requests if "delta" in path]


def test_pull_local_when_required(published: Published, source: Path, tmp_path: Path) -> None:
    generate(ours, source, "main", "--empty")
    must(ours("summary", "-u", f"--repo={source}"))
    client = make_repo(tmp_path / "client", "bare-user")
    must(ours("pull-local", f"--repo={client}", source, "main", "--require-static-deltas"))
    assert refs_of(client) == {"heads/main": f"{published.new}\n"}
    check_both(client)


def test_hole_in_a_delta_is_filled(
    published: Published, source: Path, server: ScriptedServer, tmp_path: Path
) -> None:
    """A delta between equal trees, passed off as one that adds files, leaves nothing out."""
    from pyostree.formats.delta_superblock import decode_superblock, encode_superblock

    generate(ours, source, "main", "--empty")
    (path,) = (source / "deltas").rglob("superblock")
    superblock = decode_superblock(path.read_bytes())
    path.write_bytes(encode_superblock(superblock._replace(parts=())))
    must(ours("summary", "-u", f"--repo={source}"))
    client = client_of(tmp_path / "client", server.url)
    must(ours("pull", f"--repo={client}", "origin", "main"))
    check_both(client)
    assert not list((client / "state").glob("*.commitpartial"))


# -- managing ----------------------------------------------------------------------------


@USERS
def test_index_counts_where_a_signed_summary_is_demanded(
    published: Published, server: ScriptedServer, tmp_path: Path, user: Command
) -> None:
    generate(ours, server.root, "main", "--empty")
    must(ours("static-delta", "reindex", f"--repo={server.root}"))
    client = client_of(tmp_path / "client", server.url)
    must(
        ours(
            "config",
            f"--repo={client}",
            "set",
            '--group=remote "origin"',
            "gpg-verify-summary",
            "true",
        )
    )
    must(user("pull", f"--repo={client}", "origin", published.new))
    assert any(path.endswith("/superblock") for path in server.requests)
    assert not any("summary" in path for path in server.requests)
    check_both(client)


def test_listed_indexed_deleted(published: Published, source: Path) -> None:
    for words in (("main", "--empty"), ("main",)):
        generate(ours, source, *words)
    listed = {
        command: must(command("static-delta", "list", f"--repo={source}")).splitlines()
        for command in (ours, reference)
    }
    assert sorted(listed[ours]) == sorted(listed[reference])
    assert len(listed[ours]) == 2
    found = []
    for command in (ours, reference):
        must(command("static-delta", "reindex", f"--repo={source}"))
        assert must(ours("static-delta", "indexes", f"--repo={source}")) == published.new
        (index,) = (source / "delta-indexes").rglob("*.index")
        found.append(index.read_bytes())
        index.unlink()
    assert found[0] == found[1]
    again = ours("static-delta", "generate", f"--repo={source}", "main", "--if-not-exists")
    assert again.out == f"Delta {published.old}-{published.new} already exists.\n"
    must(ours("static-delta", "delete", f"--repo={source}", published.new))
    assert ours("static-delta", "delete", f"--repo={source}", published.new).err == (
        f"error: Can't find delta {published.new}\n"
    )
    must(ours("static-delta", "reindex", f"--repo={source}", "--to", published.new))
    must(ours("static-delta", "delete", f"--repo={source}", f"{published.old}-{published.new}"))
    assert must(ours("static-delta", "list", f"--repo={source}")) == "(No static deltas)"
    must(ours("static-delta", "reindex", f"--repo={source}"))
    assert must(ours("static-delta", "indexes", f"--repo={source}")) == (
        "(No static deltas indexes)"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("generate",), ("generate", "main^"), ("generate", "main", "--empty", "--from=main"),
        ("generate", "nope"), ("show",), ("show", "GARBAGE"), ("delete",), ("delete", "x-y"),
        ("apply-offline",), ("apply-offline", "/no/such"), ("apply-offline", "/usr"),
        ("reindex", "--to=x"), ("show", "0" * 64), ("nope",), (),
    ],
    ids=" ".join,
)  # fmt: skip
def test_same_errors(published: Published, words: tuple[str, ...]) -> None:
    repo = f"--repo={published.repo}"
    results = [command("static-delta", *words, repo) for command in (ours, reference)]
    assert results[0].status == results[1].status == 1
    assert results[0].err.splitlines()[-1] == results[1].err.splitlines()[-1]
