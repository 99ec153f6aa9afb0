"""Pull over HTTP: all of a commit, and the update to the next one."""

from functools import partial
from pathlib import Path

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop


def _with_remote(shop: Workshop, repo: Path) -> Path:
    url = f"{shop.url}/{shop.archive().name}"
    shop.run(REFERENCE, f"--repo={repo}", "remote", "add", "--no-gpg-verify", "origin", url)
    return repo


def _full(shop: Workshop, tool: Tool, *, mode: str) -> Argv:
    repo = _with_remote(shop, shop.fresh_repo(tool, mode))
    return (f"--repo={repo}", "pull", "origin", "one")


def _update(shop: Workshop, tool: Tool) -> Argv:
    repo = _with_remote(shop, shop.fresh_repo(tool, "bare"))
    shop.run(REFERENCE, f"--repo={repo}", "pull-local", shop.bare(), "one")
    return (f"--repo={repo}", "pull", "origin", "two")


TASKS = (
    Task("pull HTTP bare, full", partial(_full, mode="bare")),
    Task("pull HTTP archive, full", partial(_full, mode="archive")),
    Task("pull HTTP bare, update", _update),
)
