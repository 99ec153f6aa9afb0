"""What all tasks share: the tree, repositories made from it, a web server, a place for results."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from bench.network import Network
from bench.rootfs import unpack_rootfs

RefName = Literal["one", "two"]
REFERENCE = Path("/usr/bin/ostree")
_MIN_FREE_BYTES = 8 << 30
_DELAY_MS = 20  # to the far server, each way


class Tool(NamedTuple):
    """One implementation under the clock."""

    name: str
    path: Path


class Workshop:
    """Directories below one root, made when first asked for.

    The repositories that tasks only read are made once, by the reference, and are the same for
    both tools. They hold two commits: ``one``, and ``two`` with the changes of a point release.
    """

    def __init__(self, root: Path, *, small: bool, source: Path | None = None) -> None:
        self.root = root
        self._small = small
        self._source = source
        self.url = ""  # of a web server for `root`
        self._network: Network | None = None
        self.env = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        self.env |= {"LC_ALL": "C.UTF-8", "OSTREE_SKIP_CACHE": "1"}

    def tree(self) -> Path:
        """Return the root file system."""
        return self.keep("tree", self._make_tree)

    def archive(self) -> Path:
        """Return a shared repository of mode archive, with a summary."""
        return self.keep("shared-archive", self._make_archive)

    def bare(self) -> Path:
        """Return a shared repository of mode bare."""
        return self.keep("shared-bare", self._make_bare)

    def fresh_repo(self, tool: Tool, mode: str, *, name: str = "repo") -> Path:
        """Return a new empty repository in a place of the tool's own."""
        path = self.scratch(tool, name)
        self.run(REFERENCE, f"--repo={path}", "init", f"--mode={mode}")
        return path

    def scratch(self, tool: Tool, name: str) -> Path:
        """Return a path of the tool's own where nothing is."""
        path = self.root / tool.name / name
        self.retire(path)
        path.parent.mkdir(exist_ok=True)
        return path

    def retire(self, path: Path) -> None:
        """Put aside what an earlier run left.

        It is deleted when all is over: for minutes after a deletion, ext4 looks in vain at every
        inode that was freed, and a command that creates files takes several times as long.
        """
        if shutil.disk_usage(self.root).free < _MIN_FREE_BYTES:
            self.sweep()
        if path.exists():
            old = self.root / "old"
            old.mkdir(exist_ok=True)
            # A name of its own: what a run left that was killed may be there in part.
            path.rename(Path(tempfile.mkdtemp(dir=old)) / path.name)

    def sweep(self) -> None:
        """Delete what was put aside."""
        remove_tree(self.root / "old")

    def linked_copy(self, tool: Tool, repo: Path) -> Path:
        """Return a copy of a shared repository whose objects are hard links."""
        path = self.scratch(tool, "repo")
        subprocess.run(["cp", "-al", repo, path], check=True)
        for name in ("refs", "config", "summary"):  # these are rewritten in place by nobody else
            if (repo / name).exists():
                remove_tree(path / name)
                subprocess.run(["cp", "-a", repo / name, path / name], check=True)
        return path

    def network(self) -> Network:
        """Return the network with a server for `root`, built when first asked for."""
        if self._network is None:
            self._network = Network(
                self.root, Path(tempfile.mkdtemp(prefix="bench-network")), delay_ms=_DELAY_MS
            )
        return self._network

    def close(self) -> None:
        """Take down what tasks have put up."""
        if self._network is not None:
            self._network.close()
            self._network = None

    def run(self, *argv: str | Path) -> str:
        """Run a command that is not timed."""
        done = subprocess.run(
            argv, check=True, env=self.env, cwd=self.root, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def change_one_file(self, serial: int) -> None:
        """Give the tree one file that no commit has yet."""
        (self.tree() / "changed-file").write_text(f"change {serial}\n")

    def keep(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return a path that `make` fills once, for this run and those to come."""
        path = self.root / name
        if not path.exists():
            unfinished = self.root / f"unfinished-{name}"
            remove_tree(unfinished)
            make(unfinished)
            unfinished.rename(path)
        return path

    def _make_tree(self, path: Path) -> None:
        if self._source:
            subprocess.run(["cp", "-a", self._source, path], check=True)
        else:
            unpack_rootfs(path, small=self._small)

    def _make_archive(self, path: Path) -> None:
        second = self.root / "second-tree"
        remove_tree(second)
        subprocess.run(["cp", "-a", self.tree(), second], check=True)
        _point_release(second)
        self.run(REFERENCE, f"--repo={path}", "init", "--mode=archive")
        for ref, tree in (("one", self.tree()), ("two", second)):
            self.run(REFERENCE, f"--repo={path}", "commit", "-b", ref, f"--tree=dir={tree}")
        self.run(REFERENCE, f"--repo={path}", "summary", "-u")
        remove_tree(second)

    def _make_bare(self, path: Path) -> None:
        self.run(REFERENCE, f"--repo={path}", "init", "--mode=bare")
        self.run(REFERENCE, f"--repo={path}", "pull-local", self.archive(), "one", "two")


def remove_tree(path: Path) -> None:
    """Remove a file or directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _point_release(tree: Path) -> None:
    """Change every fiftieth file, as a security update of a few packages would."""
    regular = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    for path in regular[::50]:
        with path.open("ab") as file:
            file.write(b"\nchanged by the point release\n")
