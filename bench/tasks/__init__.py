"""All tasks, in the order of the table."""

from bench.task import Task
from bench.tasks import checkout, commit, diff, fsck, ls, prune, pull, pull_local, rev_parse, scale

ALL: tuple[Task, ...] = (
    *commit.TASKS,
    *checkout.TASKS,
    *fsck.TASKS,
    *ls.TASKS,
    *diff.TASKS,
    *pull.TASKS,
    *pull_local.TASKS,
    *prune.TASKS,
    *rev_parse.TASKS,
    *scale.TASKS,
)
