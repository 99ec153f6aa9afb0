"""Compare two commits, a point release apart."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _commits(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.archive()}", "diff", "one", "two")


TASKS = (Task("diff commits", _commits),)
