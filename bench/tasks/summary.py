"""The summary of a repository with many refs: made again after one of them has changed."""

from functools import partial

from bench.synthetic import make_refs
from bench.task import Argv, Task
from bench.workshop import Tool, Workshop


def _update(shop: Workshop, tool: Tool, *, count: int) -> Argv:
    kept = shop.keep(f"synthetic-refs-{count}", lambda path: make_refs(path, count))
    repo = shop.linked_copy(tool, kept)
    (repo / "tmp/cache").mkdir()
    shop.run(tool.path, f"--repo={repo}", "summary", "-u")
    refs = repo / "refs/heads/group0"
    (refs / "ref0").write_bytes((refs / "ref1").read_bytes())
    return (f"--repo={repo}", "summary", "-u")


TASKS = (
    Task("summary of 5,000 refs, update", partial(_update, count=5_000)),
    Task("summary of 50,000 refs, update", partial(_update, count=50_000), is_long=True),
)
