"""Many objects, many commits, many files in one directory: each, and ten times as many.

Not part of a run of everything, since what they need takes minutes to make (it is kept). They ask
for an inode per object: ``make bench ARGS='scale --work /dev/shm/bench'`` uses memory instead.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.synthetic import REF, make_directory, make_history, make_linkable, make_objects
from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop


class _Scale(NamedTuple):
    """One kind of large repository, in two sizes."""

    noun: str
    make: Callable[[Path, int], None]
    sizes: tuple[int, int]


_OBJECTS = _Scale("objects", make_objects, (100_000, 1_000_000))
_HISTORY = _Scale("commits", make_history, (1_000, 10_000))
# The reference's check takes the square of their number: 40 minutes for 10,000.
_SHORT_HISTORY = _HISTORY._replace(sizes=(200, 2_000))
# Every link that these make takes an inode again.
_LINKED = _Scale("linked objects", make_linkable, (30_000, 300_000))
_DIRECTORY = _Scale("files in one directory", make_directory, (10_000, 100_000))

_Action = Callable[[Workshop, Tool, Path], Argv]


def _repo(shop: Workshop, scale: _Scale, size: int) -> Path:
    name = f"synthetic-{scale.noun.partition(' ')[0]}-{size}"
    return shop.keep(name, lambda path: scale.make(path, size))


def _fsck(_shop: Workshop, _tool: Tool, repo: Path) -> Argv:
    return (f"--repo={repo}", "fsck", "--quiet")


def _nothing_to_prune(_shop: Workshop, _tool: Tool, repo: Path) -> Argv:
    return (f"--repo={repo}", "prune", "--refs-only", "--no-prune")


def _prune(shop: Workshop, tool: Tool, repo: Path, *words: str) -> Argv:
    copy = shop.linked_copy(tool, repo)
    return (f"--repo={copy}", "prune", "--refs-only", *words)


def _prune_all(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    argv = _prune(shop, tool, repo)
    os.unlink(shop.root / tool.name / "repo/refs/heads" / REF)
    return argv


def _prune_history(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    return _prune(shop, tool, repo, "--depth=10")


def _list(_shop: Workshop, _tool: Tool, repo: Path) -> Argv:
    return (f"--repo={repo}", "ls", "-R", REF)


def _log(_shop: Workshop, _tool: Tool, repo: Path) -> Argv:
    return (f"--repo={repo}", "log", REF)


def _checkout(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    return (f"--repo={repo}", "checkout", REF, f"{shop.scratch(tool, 'checkout')}")


def _commit(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    tree = shop.keep(f"tree-of-{repo.name}", partial(_check_out_copies, shop, repo))
    target = shop.fresh_repo(tool, "bare")
    return (f"--repo={target}", "commit", "-b", REF, f"--tree=dir={tree}")


def _check_out_copies(shop: Workshop, repo: Path, path: Path) -> None:
    shop.run(REFERENCE, f"--repo={repo}", "checkout", "--force-copy", REF, path)


def _pull(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    target = shop.fresh_repo(tool, "bare")
    return (f"--repo={target}", "pull-local", f"{repo}", REF)


def _pull_history(shop: Workshop, tool: Tool, repo: Path) -> Argv:
    return (*_pull(shop, tool, repo), "--depth=-1")


_ACTIONS: tuple[tuple[str, _Scale, _Action], ...] = (
    ("fsck", _OBJECTS, _fsck),
    ("prune, nothing to do", _OBJECTS, _nothing_to_prune),
    ("prune everything", _LINKED, _prune_all),
    ("ls -R", _OBJECTS, _list),
    ("pull-local", _LINKED, _pull),
    ("checkout", _LINKED, _checkout),
    ("log", _HISTORY, _log),
    ("fsck", _SHORT_HISTORY, _fsck),
    ("prune, nothing to do", _HISTORY, _nothing_to_prune),
    ("prune --depth=10", _HISTORY, _prune_history),
    ("pull-local --depth=-1", _HISTORY, _pull_history),
    ("ls -R", _DIRECTORY, _list),
    ("commit", _DIRECTORY, _commit),
    ("checkout", _DIRECTORY, _checkout),
    ("fsck", _DIRECTORY, _fsck),
    ("prune, nothing to do", _DIRECTORY, _nothing_to_prune),
)


def _task(words: str, scale: _Scale, action: _Action, size: int) -> Task:
    def prepare(shop: Workshop, tool: Tool) -> Argv:
        return action(shop, tool, _repo(shop, scale, size))

    return Task(f"scale {words}: {size:,} {scale.noun}", prepare, is_long=True)


TASKS = tuple(
    _task(words, scale, action, size) for words, scale, action in _ACTIONS for size in scale.sizes
)
