"""``find-remotes`` and ``create-usb``: ours and the reference's say, write and find the same."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from gpg_lab import GpgHome
from peer_lab import COLLECTION, NEW, make_client, make_vendor
from repo_lab import (
    OURS,
    REFERENCE,
    Command,
    Result,
    must,
    ours,
    reference,
    refs_of,
    stored_objects,
)
from volume_lab import make_image, run_with_volumes
from web_lab import serving

COMMANDS = [pytest.param(ours, id="ours"), pytest.param(reference, id="reference")]
# Our help says the same in other words; its layout is compared elsewhere.
_USAGE = re.compile(r"(?ms)^Usage:\n  \S+.*?^  --version [^\n]*\n")
_MODIFIED = re.compile(r"(?m)^( - Summary last modified: )\d.*Z$")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, keys: GpgHome) -> Path:
    """A vendor of two refs, a mirror with an older one, and clients, one of them with commits."""
    path = tmp_path_factory.mktemp("place")
    vendor = make_vendor(path, keys)
    for name in ("a", "b", "os/x86/main"):
        vendor.commit(name)
    vendor.publish()
    client = make_client(path, keys, url=f"file://{vendor.repo}")
    trust = (f"--collection-id={COLLECTION}", f"--gpg-import={keys.armored(0)}")
    must(ours("remote", "add", f"--repo={client}", *trust, "mirror", f"file://{path}/mirror"))
    must(ours("init", f"--repo={path}/mirror", "--mode=archive"))
    mirror = (f"--repo={path}/mirror", "vendor")
    must(ours("remote", "add", "--no-gpg-verify", trust[0], *mirror, f"file://{vendor.repo}"))
    must(ours("pull", "--mirror", *mirror, "a", "b"))
    must(ours("summary", "-u", f"--repo={path}/mirror"))
    vendor.commit("a", NEW)
    vendor.publish()
    shutil.copytree(client, path / "full", symlinks=True)
    must(ours("pull", f"--repo={path}/full", "vendor", "a", "b", "os/x86/main"))
    (path / "stick").mkdir()
    return path


def run(command: Command, *words: str | Path) -> Result:
    """Run a command; return what must be the same."""
    found = command(*words)
    err = _USAGE.sub("USAGE\n", found.err)
    return Result(found.status, _MODIFIED.sub(r"\1TIME", found.out), err)


def pairs(*names: str) -> list[str]:
    return [word for name in names for word in (COLLECTION, name)]


# -- words -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a.b",
        "a.b c d.e",
        "ab c",
        "a.b -- c/",
        "a.b c a.b c",
        "--mirror a.b c",
        "--mirror ab c",
        "--mirror --finders= a.b",
        "--finders= a.b c",
        "--finders=config, a.b c",
        "--finders=,config a.b c",
        "--finders=config,config a.b c",
        "--finders=foo a.b c",
        "--finders=foo ab c",
        "--finders=foo --cache-dir=/nonexistent a.b c",
        "--cache-dir=/nonexistent a.b c",
        "--finders=mount --pull a.b c",
        "--finders=config --pull --mirror a.b c",
        "--finder=config a.b c",
    ],
)
def test_find_remotes_refuses_the_same_words(place: Path, words: str) -> None:
    line = ("find-remotes", f"--repo={place}/client", *words.split())
    assert run(ours, *line) == run(reference, *line)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "STICK",
        "STICK a.b",
        "STICK a.b c d.e",
        "STICK ab c",
        "STICK a.b c/",
        "STICK a.b c",
        "/nonexistent ab c",
        "--commit=xx STICK a.b c a.b d",
        "--destination-repo=full PLACE a.b c",
        "--destination-repo=full PLACE ab c",
        "--destination-repo=/proc STICK a.b c",
        "--destination-repo= STICK a.b c",
    ],
)
def test_create_usb_refuses_the_same_words(place: Path, words: str) -> None:
    filled = words.replace("STICK", f"{place}/stick").replace("PLACE", str(place))
    line = ("create-usb", f"--repo={place}/full", *filled.split())
    if "/proc" in words or "= " in words:  # the reference finds out by other errors
        found = ours(*line)
        assert found.status == 1
        assert found.err.endswith("--destination-repo must be a descendent of MOUNT-PATH\n")
        return
    assert run(ours, *line) == run(reference, *line)


# -- finding -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "names"),
    [
        ("client", ["a"]),
        ("client", ["b"]),
        ("client", ["a", "b", "os/x86/main"]),
        ("client", ["nope"]),
        ("client", ["a", "nope", "b", "nope/either", "os/x86/main", "no1", "no2", "no3", "no4"]),
        ("full", ["a", "b"]),
    ],
)
def test_find_remotes_prints_the_same(place: Path, client: str, names: list[str]) -> None:
    line = ("find-remotes", "--finders=config", f"--repo={place}/{client}", *pairs(*names))
    found = run(reference, *line)
    assert run(ours, *line) == found
    assert found.status == 0


@pytest.mark.parametrize("options", [[], ["--mirror"]])
@pytest.mark.parametrize("names", [["a", "b"], ["b", "nope"]])
def test_find_remotes_pulls_the_same(
    tmp_path: Path, place: Path, options: list[str], names: list[str]
) -> None:
    outcomes = []
    for command in (ours, reference):
        client = tmp_path / command.__name__
        shutil.copytree(place / "client", client, symlinks=True)
        words = ("--pull", "--finders=config", "--disable-fsync", *options, f"--repo={client}")
        found = run(command, "find-remotes", *words, *pairs(*names))
        assert found.status == 0, found.err
        outcomes.append((found, refs_of(client), stored_objects(client)))
    assert outcomes[0] == outcomes[1]


def test_find_remotes_pull_of_unsigned_commits_fails_the_same(
    tmp_path: Path, keys: GpgHome
) -> None:
    vendor = make_vendor(tmp_path, keys)
    vendor.commit("a", keys=())
    vendor.publish()
    client = make_client(tmp_path, keys, url=f"file://{vendor.repo}")
    line = ("find-remotes", "--pull", "--finders=config", f"--repo={client}", *pairs("a"))
    found = run(ours, *line)
    assert found == run(reference, *line)
    assert (found.status, found.err) == (
        1,
        f"error: Failed to pull some refs from the remotes: ({COLLECTION}, a)\n",
    )


def test_find_remotes_over_http_prints_and_pulls_the_same(
    tmp_path: Path, place: Path, keys: GpgHome
) -> None:
    outcomes = []
    with serving(place) as web:
        client = make_client(tmp_path, keys, url=f"{web.url}/vendor")
        for command in (ours, reference):
            copy = tmp_path / command.__name__
            shutil.copytree(client, copy, symlinks=True)
            line = ("find-remotes", "--pull", "--finders=config", f"--repo={copy}")
            found = run(command, *line, *pairs("a", "b"))
            assert found.status == 0, found.err
            outcomes.append((found, refs_of(copy), stored_objects(copy)))
    assert outcomes[0] == outcomes[1]


def test_find_remotes_uses_the_cache_directory(tmp_path: Path, keys: GpgHome) -> None:
    vendor = make_vendor(tmp_path, keys)
    vendor.commit("a")
    must(ours("summary", "-u", f"--repo={vendor.repo}", *keys.options("7FCA23D8472CDAFA")))
    client = make_client(tmp_path, keys, url=f"file://{vendor.repo}")
    caches = []
    for command in (ours, reference):
        cache = tmp_path / command.__name__
        cache.mkdir()
        words = ("--finders=config", f"--cache-dir={cache}", f"--repo={client}")
        must(command("find-remotes", *words, *pairs("a")))
        caches.append(sorted(str(file.relative_to(cache)) for file in cache.rglob("*")))
    assert caches[0] == caches[1] == ["summaries", "summaries/vendor", "summaries/vendor.sig"]


def test_find_remotes_of_the_same_ref_twice_finds_it(place: Path) -> None:
    # The reference does not.
    words = ("--finders=config", f"--repo={place}/client", *pairs("a", "a", "no", "no"))
    out = must(ours("find-remotes", *words))
    missing = f" - ({COLLECTION}, no)\n" * 2
    ending = f"2/4 refs were found.\nRefs not found in any remote:\n{missing}"
    assert f"{out}\n".endswith(ending)


# -- sticks ------------------------------------------------------------------------------


def tree_of(stick: Path) -> dict[str, tuple[int, str]]:
    """Return the files of a stick with their modes, and links with where they lead."""
    return {
        str(path.relative_to(stick)): (
            path.lstat().st_mode,
            os.readlink(path) if path.is_symlink() else "",
        )
        for path in stick.rglob("*")
    }


@pytest.mark.parametrize(
    "options", [[], ["--destination-repo=ostree/repo"], ["--destination-repo=x/y"]]
)
@pytest.mark.parametrize("source", ["full", "vendor", "mirror"])
def test_create_usb_writes_the_same(
    tmp_path: Path, place: Path, source: str, options: list[str]
) -> None:
    outcomes = []
    for command in (ours, reference):
        stick = tmp_path / "stick"
        stick.mkdir()
        words = ("create-usb", f"--repo={place}/{source}", "--disable-fsync", *options, stick)
        said = [run(command, *words, *pairs("b")), run(command, *words, *pairs("a", "b"))]
        assert [found.status for found in said] == [0, 0]
        tree = tree_of(stick)
        tree.pop(".ostree/repos.d/01-generated", None)  # the reference adds a link each time
        tree = {name: what for name, what in tree.items() if "/tmp/" not in name}
        (repo,) = [path for path in stick.rglob("config") if "repos.d" not in str(path)]
        summary = must(reference("summary", "--view", f"--repo={repo.parent}"))
        shown = re.sub(r"(?m)^Last-Modified.*$", "", summary)
        must(reference("fsck", f"--repo={repo.parent}"))
        outcomes.append((said, tree, shown, repo.read_text(), stored_objects(repo.parent)))
        shutil.rmtree(stick)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_create_usb_of_one_commit(tmp_path: Path, place: Path, command: Command) -> None:
    commit = (place / f"mirror/refs/mirrors/{COLLECTION}/a").read_text().strip()
    words = (f"--repo={place}/mirror", f"--commit={commit}", "--disable-fsync", tmp_path)
    must(command("create-usb", *words, *pairs("a")))
    assert refs_of(tmp_path / ".ostree/repo") == {f"mirrors/{COLLECTION}/a": f"{commit}\n"}


def test_create_usb_of_a_bad_commit_is_refused(tmp_path: Path, place: Path) -> None:
    # The reference dies of it.
    words = (f"--repo={place}/full", "--commit=8ff94", tmp_path, *pairs("a"))
    found = ours("create-usb", *words)
    assert (found.status, found.err) == (1, "error: Invalid rev 8ff94\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")
def test_find_remotes_on_volumes_is_the_same(tmp_path: Path, place: Path) -> None:
    volumes = {
        "/media/one": (make_image(tmp_path / "1.img", "ext4"), "ext4"),
        "/media/MY DISK": (make_image(tmp_path / "2.img", "ext4"), "ext4"),
        "/media/.hidden": (make_image(tmp_path / "3.img", "ext4"), "ext4"),
    }
    fill = [
        ("/media/one", "", ["a", "b"]),
        ("/media/one", "--destination-repo=other", ["a", "os/x86/main"]),
        ("/media/MY DISK", "--destination-repo=ostree/repo", ["b"]),
        ("/media/.hidden", "", ["a"]),
    ]
    lines = [
        f"{REFERENCE} create-usb --repo={place}/full {option} '{stick}' {' '.join(pairs(*names))}"
        for stick, option, names in fill
    ]
    names = " ".join(pairs("a", "b", "os/x86/main", "nope"))
    for name, program in (("ours", OURS), ("reference", REFERENCE)):
        client = f"{tmp_path}/{name}"
        shutil.copytree(place / "client", client, symlinks=True)
        shutil.copytree(place / "client", f"{client}-mirror", symlinks=True)
        mirror = f"{program} find-remotes --repo={client}-mirror --finders=mount --pull --mirror"
        find = f"{program} find-remotes --repo={client} --finders=mount"
        lines += [f"{mirror} {names} >{client}.mirrored"]
        lines += [f"{find} {names} >{client}.found", f"{find} --pull {names} >{client}.pulled"]
    done = run_with_volumes(volumes, "\n".join(lines))
    assert done.returncode == 0, done.stderr
    for kind in ("found", "pulled", "mirrored"):
        said = (tmp_path / f"reference.{kind}").read_text()
        assert (tmp_path / f"ours.{kind}").read_text() == said
        assert "file:///media/MY DISK/ostree/repo" in said
        assert ".hidden" not in said
    for client in ("", "-mirror"):
        one, other = tmp_path / f"ours{client}", tmp_path / f"reference{client}"
        assert refs_of(one) == refs_of(other)
        assert stored_objects(one) == stored_objects(other)


@pytest.mark.parametrize("through_link", [True, False])
def test_create_usb_takes_an_absolute_destination_on_the_stick(
    tmp_path: Path, place: Path, through_link: bool
) -> None:
    # The reference makes a link there that leads nowhere.
    stick = tmp_path / "stick"
    stick.mkdir()
    (tmp_path / "link").symlink_to(stick)
    mount = tmp_path / "link" if through_link else stick
    words = (f"--repo={place}/full", f"--destination-repo={mount}/x", "--disable-fsync", mount)
    must(ours("create-usb", *words, *pairs("a")))
    assert os.readlink(stick / ".ostree/repos.d/00-generated") == "../../x"
