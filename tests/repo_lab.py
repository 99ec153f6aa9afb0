"""Builders and snapshots for tests of repositories: trees, both commands, complete listings."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from pyostree.cli.console import Console
from pyostree.cli.main import run_command_line
from pyostree.fs.dir import Dir

REFERENCE = "/usr/bin/ostree"
OURS = os.path.join(os.path.dirname(sys.executable), "ostree")
MODES = ("archive", "bare", "bare-user", "bare-user-only")
WHEN = "--timestamp=@1700000000"
CHUNK = 1 << 20


class Result(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


def ours(*words: str | Path) -> Result:
    """Run our command in this process."""
    out, err = BytesIO(), BytesIO()
    streams = [
        TextIOWrapper(stream, "utf-8", "surrogateescape", write_through=True)
        for stream in (out, err)
    ]
    console = Console(streams[0], streams[1], "utf-8")
    with contextlib.redirect_stderr(streams[1]):
        status = run_command_line(["ostree", *map(str, words)], console)
    streams[0].flush()
    texts = [stream.getvalue().decode("utf-8", "backslashreplace") for stream in (out, err)]
    return Result(status, *texts)


def reference(*words: str | Path) -> Result:
    """Run the C implementation."""
    return run_process(REFERENCE, *words)


def run_process(program: str, *words: str | Path, stdin: bytes = b"", **more: str) -> Result:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [program, *map(str, words)],
        check=False,
        capture_output=True,
        input=stdin,
        env={**os.environ, "OSTREE_SUPPRESS_SYNCFS": "1", **more},
    )
    texts = [text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr)]
    return Result(done.returncode, *texts)


def must(result: Result) -> str:
    """Return what a command printed that had to succeed."""
    assert result.status == 0, result.err
    return result.out.strip()


def copy_tree(source: Path, target: Path) -> Path:
    """Copy with owners, attributes, times and hard links."""
    subprocess.run(["cp", "-a", "--", source, target], check=True)
    return target


def link_tree(source: Path, target: Path) -> Path:
    """Copy directories and link files, which is quick: for what writes into no file with a name."""
    target.mkdir()
    target.chmod(source.stat().st_mode)
    for entry in os.scandir(source):
        if entry.is_dir(follow_symlinks=False):
            link_tree(Path(entry.path), target / entry.name)
        else:
            os.link(entry.path, target / entry.name, follow_symlinks=False)
    return target


@contextlib.contextmanager
def elsewhere(path: Path) -> Iterator[Dir]:
    """Give an empty directory on another file system than that of `path`."""
    device = path.stat().st_dev
    other = next(d for d in ("/dev/shm", "/var/tmp") if Path(d).stat().st_dev != device)
    with tempfile.TemporaryDirectory(dir=other) as found, Dir.at(found) as directory:
        yield directory


# -- repositories ------------------------------------------------------------------------


def make_repo(path: Path, mode: str = "archive", **settings: str) -> Path:
    """Create a repository that does not sync, with more settings of ``[core]``."""
    must(ours("init", f"--repo={path}", f"--mode={mode}"))
    lines = {"fsync": "false", "min-free-space-percent": "0", **settings}
    with (path / "config").open("a") as config:
        config.write("".join(f"{key.replace('_', '-')}={value}\n" for key, value in lines.items()))
    return path


def commit(repo: Path, *words: str | Path, command: Command = ours) -> str:
    """Commit at a fixed time and return the checksum."""
    return must(command("commit", f"--repo={repo}", WHEN, *words))


def object_names(repo: Path) -> set[str]:
    """Return the loose objects of a repository."""
    return {str(path.relative_to(repo / "objects")) for path in (repo / "objects").glob("??/*")}


def refs_of(repo: Path) -> dict[str, str]:
    """Return the files below ``refs/``."""
    found = (path for path in (repo / "refs").rglob("*") if path.is_file() or path.is_symlink())
    return {str(path.relative_to(repo / "refs")): path.read_text() for path in found}


def check_both(repo: Path) -> None:
    """Both commands accept the repository."""
    for command in (ours, reference):
        result = command("fsck", f"--repo={repo}", "-q")
        assert result.status == 0, result.err


class Stored(NamedTuple):
    """A loose object as it lies on the disk."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: str
    xattrs: tuple[tuple[str, bytes], ...]
    has_zero_mtime: bool


def stored_objects(repo: Path) -> dict[str, Stored]:
    """Return the loose objects with all that a repository's mode stores of them."""
    found = {}
    for path in sorted((repo / "objects").glob("??/*")):
        status = path.lstat()
        is_link = stat.S_ISLNK(status.st_mode)
        content = os.readlink(path) if is_link else _object_digest(path)
        found[str(path.relative_to(repo / "objects"))] = Stored(
            stat.filemode(status.st_mode)[0],
            stat.S_IMODE(status.st_mode),
            (status.st_uid, status.st_gid),
            content,
            xattrs_of(path),
            not is_link and status.st_mtime_ns == 0,
        )
    return found


def _object_digest(path: Path) -> str:
    """Hash an object; a compressed one with what it holds, since compressors differ."""
    if path.suffix != ".filez":
        return digest_of(path)
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:4], "big")
    plain = zlib.decompress(data[end:], -15) if data[end:] else b""
    return f"{data[:end].hex()} {hashlib.sha256(plain).hexdigest()}"


def digest_of(path: Path) -> str:
    """Return a hash of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def xattrs_of(path: Path) -> tuple[tuple[str, bytes], ...]:
    """Return the attributes of a file, or of a link itself."""
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)


# -- directories -------------------------------------------------------------------------


class Entry(NamedTuple):
    """Everything that a checkout decides about one path."""

    kind: str
    mode: int
    owner: tuple[int, int]
    size: int
    content: str
    xattrs: tuple[tuple[str, bytes], ...]
    has_zero_mtime: bool
    linked_object: str | None


def listing(root: Path, repo: Path | None = None) -> dict[str, Entry]:
    """Return everything at and below `root`, with the objects of `repo` that files are links to."""
    objects = {} if repo is None else _inodes(repo)
    return {str(path.relative_to(root)): _describe(path, objects) for path in (root, *walk(root))}


def _describe(path: Path, objects: Mapping[tuple[int, int], str]) -> Entry:
    status = path.lstat()
    kind = stat.filemode(status.st_mode)[0]
    content = {"l": os.readlink, "-": digest_of}.get(kind, lambda _: "")(path)
    return Entry(
        kind,
        stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid),
        0 if kind == "d" else status.st_size,
        content,
        xattrs_of(path),
        status.st_mtime_ns == 0 and kind != "l",
        objects.get((status.st_dev, status.st_ino)),
    )


def _inodes(repo: Path) -> dict[tuple[int, int], str]:
    found = {}
    for place in ("objects", "uncompressed-objects-cache"):
        for path in (repo / place).glob("??/*"):
            status = path.lstat()
            found[status.st_dev, status.st_ino] = str(path.relative_to(repo))
    return found


def walk(root: Path) -> Iterator[Path]:
    """Yield all paths below `root`, following no links."""
    if not root.is_symlink() and root.is_dir():
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            path = root / entry.name
            yield path
            yield from walk(path)


def write_files(root: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Write files below `root` with their directories; None makes a directory."""
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def make_tree(root: Path) -> Path:
    """Make a small tree with one of everything that may stand in a commit."""
    write_files(
        root,
        {
            "hello": "hello world\n",
            "empty": "",
            "bin/tool": "#!/bin/sh\n",
            "bin/su": "setuid",
            "etc/secret": "unreadable",
            "etc/deep/er/file": "x" * 5000,
            "var/tmp": None,
        },
    )
    (root / "bin/sh").symlink_to("tool")
    (root / "etc/dangling").symlink_to("/no/such/place")
    for name, mode in {
        "bin/tool": 0o755,
        "bin/su": 0o4755,
        "etc/secret": 0o000,
        "var/tmp": 0o1777,
        "etc/deep": 0o2770,
    }.items():
        (root / name).chmod(mode)
    os.setxattr(root / "hello", "user.note", b"first")
    os.setxattr(root / "etc", "user.dir", b"\0binary\xff")
    if os.geteuid() == 0:
        os.chown(root / "hello", 1000, 1001)
        os.chown(root / "bin/sh", 7, 8, follow_symlinks=False)
        os.chown(root / "etc/deep", 0, 42)
        (root / "etc/deep").chmod(0o2770)
    return root
