"""A small process whose copies run commands and are killed; copies of the test's are far slower."""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

_TESTS = Path(__file__).parent.parent


class Victim:
    """The process; a context manager that ends it."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OSTREE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from fault.victim import serve; serve()"],
            env={**environment, "PYTHONPATH": path, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def was_killed(self, number: int, words: list[str]) -> bool:
        """Run a command, killed before its `number`-th change; without so many it succeeds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([number, words]) + "\n")
        status = os.waitstatus_to_exitcode(int(self._process.stdout.readline()))
        assert status in (0, -signal.SIGKILL), words
        return status != 0


def serve() -> None:
    """Run what comes on standard input, each in a copy of this process."""
    import pyostree
    from fault.syscalls import KILL, injected
    from repo_lab import ours

    for module in pkgutil.walk_packages(pyostree.__path__, "pyostree."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for line in sys.stdin:
        number, words = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 99
            try:
                with injected(KILL, number):
                    status = ours(*words).status
            finally:
                os._exit(status)
        sys.stdout.write(f"{os.waitpid(child, 0)[1]}\n")
        sys.stdout.flush()
