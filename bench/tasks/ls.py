"""List every path of a commit."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _recursive(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.archive()}", "ls", "-R", "one")


def _recursive_bare(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.bare()}", "ls", "-R", "one")


TASKS = (Task("ls -R archive", _recursive), Task("ls -R bare", _recursive_bare))
