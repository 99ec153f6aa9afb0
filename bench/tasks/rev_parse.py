"""Start-up time: the shortest command there is."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _ref(shop: Workshop, _tool: Tool) -> Argv:
    return (f"--repo={shop.archive()}", "rev-parse", "one")


TASKS = (Task("rev-parse", _ref, repeat=20),)
