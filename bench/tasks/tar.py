"""Archives: a whole root file system committed from one, and exported to one."""

from functools import partial
from pathlib import Path

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop


def _tar(shop: Workshop) -> Path:
    tree = shop.tree()
    return shop.keep("tree.tar", lambda path: _run(shop, "tar", "-C", tree, "-cf", path, "."))


def _compressed(shop: Workshop) -> Path:
    tar = _tar(shop)
    script = 'gzip -1 < "$1" > "$2"'
    return shop.keep("tree.tar.gz", lambda path: _run(shop, "sh", "-c", script, "sh", tar, path))


def _run(shop: Workshop, *argv: str | Path) -> None:
    shop.run(*argv)


def _commit(repo: Path, archive: Path) -> Argv:
    return (f"--repo={repo}", "commit", "-b", "tar", f"--tree=tar={archive}")


def _first(shop: Workshop, tool: Tool, *, mode: str) -> Argv:
    return _commit(shop.fresh_repo(tool, mode), _tar(shop))


def _first_compressed(shop: Workshop, tool: Tool) -> Argv:
    return _commit(shop.fresh_repo(tool, "archive"), _compressed(shop))


def _again(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.root / tool.name / "committed-tar"
    if not repo.exists():
        shop.fresh_repo(tool, "archive", name=repo.name)
        shop.run(REFERENCE, *_commit(repo, _tar(shop)))
    return _commit(repo, _tar(shop))


def _export(shop: Workshop, _tool: Tool, *, mode: str) -> Argv:
    repo = shop.archive() if mode == "archive" else shop.bare()
    return (f"--repo={repo}", "export", "one", "-o", "/dev/null")


TASKS = (
    Task("tar commit archive, first", partial(_first, mode="archive")),
    Task("tar commit archive, gzip", _first_compressed),
    Task("tar commit archive, again", _again),
    Task("tar commit bare, first", partial(_first, mode="bare")),
    Task("tar export archive", partial(_export, mode="archive")),
    Task("tar export bare", partial(_export, mode="bare")),
)
