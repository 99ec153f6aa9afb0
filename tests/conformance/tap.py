"""Results of one test program, read from the Test Anything Protocol it printed."""

import re
from typing import Literal, NamedTuple

Verdict = Literal["pass", "fail", "skip", "timeout"]

_RESULT = re.compile(r"^(not )?ok\b(?P<rest>.*)$")
_PLAN = re.compile(r"^1\.\.(?P<count>\d+)\s*(#\s*(?P<skip>SKIP)\b.*)?$", re.IGNORECASE)
_SKIP = re.compile(r"#\s*SKIP\b", re.IGNORECASE)


class TapResult(NamedTuple):
    """Counts of one TAP stream.

    Attributes:
        planned: the plan's count; None where no plan was printed.
        skipped_all: the plan says that the whole file was skipped.
    """

    ok: int
    failed: int
    skipped: int
    planned: int | None
    skipped_all: bool


def parse_tap(text: str) -> TapResult:
    """Count the results in `text`; lines that are not TAP are ignored."""
    ok = failed = skipped = 0
    planned: int | None = None
    skipped_all = False
    for line in text.splitlines():
        if result := _RESULT.match(line):
            if _SKIP.search(result["rest"]):
                skipped += 1
            elif result[1]:
                failed += 1
            else:
                ok += 1
        elif plan := _PLAN.match(line):
            planned = int(plan["count"])
            skipped_all = plan["skip"] is not None
    return TapResult(ok, failed, skipped, planned, skipped_all)


def judge(tap: TapResult, *, exit_code: int | None) -> Verdict:
    """Say whether a whole file passed.

    A file passes only if it exited with 0, printed a plan and fulfilled it exactly; a file whose
    every result is a skip proves nothing and is called skipped.

    Args:
        tap: what it printed.
        exit_code: None if it had to be stopped.
    """
    if exit_code is None:
        return "timeout"
    if exit_code != 0 or tap.failed or tap.planned is None:
        return "fail"
    if tap.skipped_all:
        return "skip"
    if tap.ok + tap.skipped != tap.planned:
        return "fail"
    return "pass" if tap.ok else "skip"
