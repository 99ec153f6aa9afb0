"""Verify every object of a repository."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _archive(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.archive()}", "fsck", "--quiet")


def _bare(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.bare()}", "fsck", "--quiet")


TASKS = (Task("fsck archive", _archive), Task("fsck bare", _bare))
