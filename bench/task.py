"""The shape of a benchmark task."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.workshop import Tool, Workshop

Argv = Sequence[str]


class Task(NamedTuple):
    """One command, timed.

    Attributes:
        name: as in the table; the part before the blank is the name of the task's file.
        prepare: brings about the state that the command starts from, untimed, before every run,
            and returns the arguments that follow ``ostree``.
        repeat: how often a run repeats the command; only the mean tells for very short ones.
        is_long: runs only when asked for by name.
    """

    name: str
    prepare: Callable[[Workshop, Tool], Argv]
    repeat: int = 1
    is_long: bool = False
