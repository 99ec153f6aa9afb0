"""Pull from a repository on the same disk: by hard links, and by unpacking."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _same_mode(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.fresh_repo(tool, "archive")
    return (f"--repo={repo}", "pull-local", f"{shop.archive()}", "one")


def _other_mode(shop: Workshop, tool: Tool) -> Argv:
    repo = shop.fresh_repo(tool, "bare")
    return (f"--repo={repo}", "pull-local", f"{shop.archive()}", "one")


TASKS = (
    Task("pull-local archive to archive", _same_mode),
    Task("pull-local archive to bare", _other_mode),
)
