"""All tasks, in the order of the table."""

from bench.task import Task
from bench.tasks import (
    checkout,
    commit,
    diff,
    fsck,
    ls,
    network,
    prune,
    pull,
    pull_local,
    rev_parse,
    scale,
    signed,
    summary,
    tar,
)

ALL: tuple[Task, ...] = (
    *commit.TASKS,
    *checkout.TASKS,
    *fsck.TASKS,
    *ls.TASKS,
    *diff.TASKS,
    *pull.TASKS,
    *network.TASKS,
    *pull_local.TASKS,
    *prune.TASKS,
    *tar.TASKS,
    *rev_parse.TASKS,
    *summary.TASKS,
    *signed.TASKS,
    *scale.TASKS,
)
