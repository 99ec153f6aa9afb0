"""Pull from a server that is near or far, over HTTP/1.1 and HTTP/2: all, an update, nothing new.

Not part of a run of everything: for the far server the reference needs minutes. The network is a
pair of namespaces, which needs root.
"""

import itertools
import random
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop

_SIZES = (20_000, 200_000)
_FILES_PER_DIRECTORY = 100
_CHANGED_FILES = 500
_WORDS = 3000
# Small files, as in /usr: half of them have less than 2 KB.
_LOG_SIZE, _LOG_SPREAD = 7.6, 1.3
_MAX_BYTES = 1 << 20


class _Route(NamedTuple):
    """How to reach the server."""

    name: str
    tls: bool
    is_far: bool


_NEAR = (_Route("HTTP/1.1", False, False), _Route("HTTP/2", True, False))
_FAR = (_Route("HTTP/1.1, 40 ms", False, True), _Route("HTTP/2, 40 ms", True, True))


def _served(shop: Workshop, size: int) -> Path:
    """Return an archive with the commits ``one`` and, with some files changed, ``two``."""
    return shop.keep(f"network-archive-{size}", partial(_make_archive, shop, size))


def _make_archive(shop: Workshop, size: int, path: Path) -> None:
    tree = shop.root / f"network-tree-{size}"
    _write_tree(tree, size)
    shop.run(REFERENCE, f"--repo={path}", "init", "--mode=archive")
    shop.run(REFERENCE, f"--repo={path}", "commit", "-b", "one", f"--tree=dir={tree}")
    for number in range(0, size, size // _CHANGED_FILES):
        with _file(tree, number).open("ab") as file:
            file.write(b"\nchanged\n")
    shop.run(REFERENCE, f"--repo={path}", "commit", "-b", "two", f"--tree=dir={tree}")
    shop.run(REFERENCE, f"--repo={path}", "summary", "-u")
    shutil.rmtree(tree)


def _file(tree: Path, number: int) -> Path:
    return tree / f"{number // _FILES_PER_DIRECTORY:04}" / str(number)


def _write_tree(tree: Path, size: int) -> None:
    rng = random.Random(1)
    words = [rng.randbytes(3).hex().encode() for _ in range(_WORDS)]
    for number in range(size):
        path = _file(tree, number)
        if number % _FILES_PER_DIRECTORY == 0:
            path.parent.mkdir(parents=True)
        length = min(int(rng.lognormvariate(_LOG_SIZE, _LOG_SPREAD)), _MAX_BYTES)
        path.write_bytes(b"%d " % number + b" ".join(rng.choices(words, k=length // 7 + 1)))


def _with_remote(shop: Workshop, route: _Route, size: int, repo: Path) -> Path:
    network = shop.network()
    url = network.url(_served(shop, size).name, tls=route.tls, is_far=route.is_far)
    with (repo / "config").open("a") as file:
        file.write(f'[remote "origin"]\nurl={url}\ngpg-verify=false\n')
        file.write(f"tls-ca-path={network.ca_path}\n")
    return repo


def _full(shop: Workshop, tool: Tool, *, route: _Route, size: int, mode: str) -> Argv:
    repo = _with_remote(shop, route, size, shop.fresh_repo(tool, mode))
    return (f"--repo={repo}", "pull", "origin", "one")


def _up_to_date(shop: Workshop, size: int) -> Path:
    return shop.keep(f"network-client-{size}", partial(_make_client, shop, size))


def _make_client(shop: Workshop, size: int, path: Path) -> None:
    shop.run(REFERENCE, f"--repo={path}", "init", "--mode=bare")
    served = _served(shop, size)
    shop.run(REFERENCE, f"--repo={path}", "pull-local", "--remote=origin", served, "one")


def _update(shop: Workshop, tool: Tool, *, route: _Route, size: int) -> Argv:
    repo = _with_remote(shop, route, size, shop.linked_copy(tool, _up_to_date(shop, size)))
    return (f"--repo={repo}", "pull", "origin", "two")


def _nothing(shop: Workshop, tool: Tool, *, route: _Route, size: int) -> Argv:
    repo = _with_remote(shop, route, size, shop.linked_copy(tool, _up_to_date(shop, size)))
    return (f"--repo={repo}", "pull", "origin", "one")


def _tasks() -> tuple[Task, ...]:
    small, large = _SIZES
    tasks = []
    for mode, route in itertools.product(("bare", "archive"), _NEAR + _FAR):
        prepare = partial(_full, route=route, size=small, mode=mode)
        tasks.append(Task(f"network {mode} {small:,}, {route.name}", prepare, is_long=True))
    for route in _NEAR + _FAR:
        for words, action in (("update", _update), ("nothing new", _nothing)):
            prepare = partial(action, route=route, size=small)
            tasks.append(Task(f"network {words} {small:,}, {route.name}", prepare, is_long=True))
    for route in _NEAR:
        prepare = partial(_full, route=route, size=large, mode="bare")
        tasks.append(Task(f"network bare {large:,}, {route.name}", prepare, is_long=True))
    return tuple(tasks)


TASKS = _tasks()
