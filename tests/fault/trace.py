"""What a power cut would leave: the system calls of a real process, replayed on a model of a disk.

The model knows which files hold data that no sync has covered yet, and which names are not synced.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from repo_lab import must, run_process

_CALLS = (
    "openat,write,writev,pwrite64,copy_file_range,ftruncate,fchmod,fchown,fsetxattr,setxattr,"
    "lsetxattr,utimensat,fsync,fdatasync,syncfs,linkat,symlinkat,renameat,renameat2,rename"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>)?(?:\(deleted\))?(?: .*)?$")
_UNFINISHED = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_FD = re.compile(r"(\d+)<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PROC_FD = re.compile(r"/proc/(?:self|\d+)/fd/(\d+)(?:/(.*))?$")


class Call(NamedTuple):
    """One successful system call; `done` is the number of the line on which it returned."""

    name: str
    args: str
    result: int
    opened: str | None
    begun: int
    done: int


def trace(log: Path, program: str, *words: str | Path) -> list[Call]:
    """Run a command and return its calls in the order in which they began."""
    must(run_process("/usr/bin/strace", "-f", "-y", "-s", "300", "-o", log, "-e",
                     f"trace={_CALLS}", program, *words))  # fmt: skip
    calls = []
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        if found := _UNFINISHED.match(line):
            begun[found[1]] = (number, found[3])
            continue
        start = number
        if found := _RESUMED.match(line):
            start, first = begun.pop(found[1])
            line = f"{found[1]} {found[2]}({first}{found[3]}"
        if (found := _LINE.match(line)) and int(found[4]) >= 0:
            calls.append(Call(found[2], found[3], int(found[4]), found[5], start, number))
    return sorted(calls, key=lambda call: call.begun)


class File:
    """An inode; `written` is when its last change was over, None when all is on the disk."""

    def __init__(self) -> None:
        self.written: int | None = None


class Disk:
    """Files by name, what of them has been synced, and a diary of the names below one directory.

    Attributes:
        diary: names that files got, with the number of the call; `unsynced` ones apart.
        syncs: how many calls synced something.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.diary: list[tuple[int, str]] = []
        self.unsynced: list[str] = []
        self.syncs = 0
        self.unsynced_names: dict[str, int] = {}
        self.names_at: dict[str, set[str]] = {}
        self._files: dict[str, File] = {}
        self._descriptors: dict[int, str] = {}

    def replay(self, calls: list[Call]) -> None:
        """Apply all calls."""
        for call in calls:
            match call.name:
                case "openat":
                    self._descriptors[call.result] = call.opened or ""
                case "fsync" | "fdatasync":
                    self._sync(self._first_fd(call), call.begun)
                case "syncfs":
                    self._sync_all(call.begun)
                case "linkat":
                    self._link(call)
                case "renameat" | "renameat2" | "rename":
                    self._rename(call)
                case "symlinkat":
                    self._name(self._paths(call)[-1], File(), call.done)
                case "setxattr" | "lsetxattr":
                    self._write(self._paths(call)[0], call.done)
                case "utimensat" if "NULL" not in call.args.split(",")[1]:
                    self._write(self._paths(call)[0], call.done)
                case _:
                    self._write(self._first_fd(call), call.done)

    def _first_fd(self, call: Call) -> str:
        found = _FD.match(call.args)
        return found[2] if found else ""

    def _paths(self, call: Call) -> list[str]:
        """Return the paths that a call names, each below the descriptor before it."""
        directory, paths = "", []
        for found in re.finditer(rf"{_FD.pattern}|AT_FDCWD(?:<([^>]*)>)?|{_TEXT.pattern}",
                                 call.args):  # fmt: skip
            if found[4] is None:
                directory = found[2] or found[3] or ""
            elif via := _PROC_FD.match(found[4]):
                start = self._descriptors[int(via[1])]
                paths.append(f"{start}/{via[2]}" if via[2] else start)
            else:
                paths.append(found[4] if found[4][0] == "/" else f"{directory}/{found[4]}")
        return paths

    def _file(self, path: str) -> File:
        return self._files.setdefault(path, File())

    def _write(self, path: str, when: int) -> None:
        if path.startswith(self.root):
            self._file(path).written = when

    def _sync(self, path: str, begun: int) -> None:
        self.syncs += 1
        file = self._file(path)
        if file.written is not None and file.written < begun:
            file.written = None
        for name, when in list(self.unsynced_names.items()):
            if name.rpartition("/")[0] == path and when < begun:
                del self.unsynced_names[name]

    def _sync_all(self, begun: int) -> None:
        self.syncs += 1
        for file in self._files.values():
            if file.written is not None and file.written < begun:
                file.written = None
        self.unsynced_names = {n: when for n, when in self.unsynced_names.items() if when > begun}

    def _link(self, call: Call) -> None:
        old, new = self._paths(call)
        self._name(new, self._file(old), call.done)

    def _rename(self, call: Call) -> None:
        old, new = self._paths(call)
        if old in self._files:
            self._name(new, self._files.pop(old), call.done)
        below = [path for path in self._files if path.startswith(f"{old}/")]
        for path in below:
            self._name(new + path.removeprefix(old), self._files.pop(path), call.done)

    def _name(self, path: str, file: File, when: int) -> None:
        self._files[path] = file
        name = path.removeprefix(f"{self.root}/")
        self.names_at[name] = {n.removeprefix(f"{self.root}/") for n in self.unsynced_names}
        self.diary.append((when, name))
        if file.written is not None:
            self.unsynced.append(name)
        self.unsynced_names[path] = when


def replayed(log: Path, root: Path, program: str, *words: str | Path) -> Disk:
    """Run a command and return the disk as its calls left it."""
    disk = Disk(root)
    disk.replay(trace(log, program, *words))
    return disk


def has_strace() -> bool:
    """Tell whether processes can be traced here."""
    return subprocess.run(["/usr/bin/strace", "/bin/true"], capture_output=True).returncode == 0
