"""Cost of one command: wall time, CPU time and peak memory."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

# A child inherits the high-water mark of whoever starts it; GNU time has next to none of its own.
_GNU_TIME = "/usr/bin/time"


class Cost(NamedTuple):
    """What one run, or the middle of several, cost.

    Attributes:
        cpu_s: user and system time of the command and of all its children.
        peak_kib: the largest resident set of any one of its processes.
    """

    wall_s: float
    cpu_s: float
    peak_kib: int


class CommandFailedError(Exception):
    """A timed command did not succeed, so its time means nothing."""

    def __init__(self, argv: Sequence[str], exit_code: int, output: str) -> None:
        super().__init__(argv, exit_code, output)
        self.argv = argv
        self.exit_code = exit_code
        self.output = output

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}: exit {self.exit_code}\n{self.output}"


def measure(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Cost:
    """Run `argv` once and return its cost.

    Data that earlier commands left unwritten is written first: nobody pays for another's.
    """
    os.sync()
    with tempfile.NamedTemporaryFile("r") as peak, tempfile.TemporaryFile("w+") as errors:
        timed = [_GNU_TIME, "-q", "-f", "%M", "-o", peak.name, *argv]
        started = time.perf_counter()
        process = subprocess.Popen(
            timed,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise CommandFailedError(argv, process.returncode, errors.read()[-2000:])
        return Cost(wall_s, usage.ru_utime + usage.ru_stime, int(peak.read().split()[-1]))


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each column."""
    walls, cpus, peaks = zip(*costs, strict=True)
    return Cost(median(walls), median(cpus), int(median(peaks)))
