"""Find what nothing refers to, and delete it."""

from bench.task import Argv, Task
from bench.workshop import REFERENCE, Tool, Workshop


def _old_release(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.linked_copy(tool, shop.archive())
    shop.run(REFERENCE, f"--repo={repo}", "refs", "--delete", "one")
    return (f"--repo={repo}", "prune", "--refs-only")


def _everything(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.linked_copy(tool, shop.archive())
    shop.run(REFERENCE, f"--repo={repo}", "refs", "--delete", "one", "two")
    return (f"--repo={repo}", "prune", "--refs-only")


TASKS = (Task("prune an old release", _old_release), Task("prune everything", _everything))
