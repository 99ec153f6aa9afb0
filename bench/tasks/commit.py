"""Commit a whole root file system: first, again unchanged, and with one file changed."""

from functools import partial
from itertools import count
from pathlib import Path

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop

_serials = count(1)


def _commit(repo: Path, shop: Workshop) -> Argv:
    return (f"--repo={repo}", "commit", "-b", "tree", f"--tree=dir={shop.tree()}")


def _first(shop: Workshop, tool: Tool, *, mode: str) -> Argv:
    return _commit(shop.fresh_repo(tool, mode), shop)


def _again(shop: Workshop, tool: Tool, *, mode: str) -> Argv:
    repo = shop.root / tool.name / f"committed-{mode}"
    if not repo.exists():
        shop.fresh_repo(tool, mode, name=repo.name)
        shop.run(REFERENCE, *_commit(repo, shop))
    return _commit(repo, shop)


def _changed(shop: Workshop, tool: Tool, *, mode: str) -> Argv:
    argv = _again(shop, tool, mode=mode)
    shop.change_one_file(next(_serials))
    return argv


def _with_sizes(shop: Workshop, tool: Tool) -> Argv:
    return (*_first(shop, tool, mode="archive"), "--generate-sizes")


def _linked(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.linked_copy(tool, shop.bare())
    target = shop.scratch(tool, "linked-checkout")
    shop.run(REFERENCE, f"--repo={repo}", "checkout", "one", f"{target}")
    speedup = "--link-checkout-speedup"
    return (f"--repo={repo}", "commit", "-b", "again", speedup, f"--tree=dir={target}")


_KINDS = (("first", _first), ("again", _again), ("one file changed", _changed))

TASKS = (
    *(
        Task(f"commit {mode}, {what}", partial(prepare, mode=mode))
        for mode in ("archive", "bare")
        for what, prepare in _KINDS
    ),
    Task("commit archive, sizes", _with_sizes),
    Task("commit bare, --link-checkout-speedup", _linked),
)
