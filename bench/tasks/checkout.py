"""Check out a whole root file system, in the three ways there are."""

from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _hard_links(shop: Workshop, tool: Tool) -> Argv:
    return (f"--repo={shop.bare()}", "checkout", "one", f"{shop.scratch(tool, 'checkout')}")


def _copies(shop: Workshop, tool: Tool) -> Argv:
    target = shop.scratch(tool, "checkout")
    return (f"--repo={shop.bare()}", "checkout", "--force-copy", "one", f"{target}")


def _user_mode(shop: Workshop, tool: Tool) -> Argv:
    target = shop.scratch(tool, "checkout")
    shop.retire(shop.archive() / "uncompressed-objects-cache")  # of an earlier run
    return (f"--repo={shop.archive()}", "checkout", "--user-mode", "one", f"{target}")


TASKS = (
    Task("checkout bare, hard links", _hard_links),
    Task("checkout bare, copies", _copies),
    Task("checkout archive, user mode", _user_mode),
)
