"""``python -m bench``: time our ``ostree`` against the one found on PATH.

For every task the two commands run in alternation, on equal state, with the same data in the page
cache, and with the same obligation to sync.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from bench.measure import CommandFailedError, Cost, measure, middle
from bench.rootfs import cache_dir
from bench.server import serving
from bench.task import Task
from bench.tasks import ALL
from bench.workshop import Tool, Workshop, remove_tree


class Row(NamedTuple):
    """One line of the table; None for a command that failed."""

    task: str
    ours: Cost | None
    reference: Cost | None


def main() -> int:
    """Run the tasks asked for and print the table; 1 if a command failed."""
    args = _parse_args()
    tasks = [task for task in ALL if _is_chosen(task, args.task)]
    if args.list:
        print("\n".join(task.name for task in ALL))
        return 0
    if os.getuid() != 0:
        print(
            "bench needs root: a bare repository keeps the owners of files, and a network of "
            "one's own needs namespaces",
            file=sys.stderr,
        )
        return 1
    if not tasks:
        print("No task of that name; --list tells all of them", file=sys.stderr)
        return 1
    ours, reference = Tool("ours", args.ours.absolute()), _reference(args)
    size = "tree" if args.tree else args.size
    parent = args.work or cache_dir() / f"work-{size}"
    if args.tree:
        remove_tree(parent)
    parent.mkdir(parents=True, exist_ok=True)
    shop = Workshop(parent, small=args.size == "small", source=args.tree)
    rows = []
    width = max(len(task.name) for task in tasks) + 1
    _print_head(width)
    with (
        tempfile.TemporaryDirectory(prefix="bench-server", ignore_cleanup_errors=True) as state,
        serving(parent, Path(state)) as shop.url,
        closing(shop),
    ):
        for task in tasks:
            rows.append(_run_task(task, shop, (ours, reference), runs=args.runs))
            _print_row(rows[-1], width)
    for tool in (ours, reference):
        remove_tree(parent / tool.name)
    shop.sweep()
    if args.json:
        args.json.write_text(json.dumps([_as_json(row) for row in rows], indent=2) + "\n")
    return 0 if all(row.ours and row.reference for row in rows) else 1


def _is_chosen(task: Task, parts: Sequence[str]) -> bool:
    if task.is_long:  # only by the first word of its name: `prune` does not mean all sizes of it
        return any(part.startswith(task.name.split()[0]) and part in task.name for part in parts)
    return not parts or any(part in task.name for part in parts)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("task", nargs="*", help="only tasks whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="print the tasks' names")
    parser.add_argument(
        "--runs", type=int, default=1, help="of each; the median counts (default 1)"
    )
    parser.add_argument("--size", choices=("full", "small"), default="full", help="of the tree")
    parser.add_argument("--tree", type=Path, help="another tree than the Debian system")
    parser.add_argument("--ours", type=Path, default=Path(sys.executable).parent / "ostree")
    parser.add_argument("--reference", type=Path, help="default: the ostree on PATH")
    parser.add_argument("--work", type=Path, metavar="DIR", help="default: in the cache directory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    return parser.parse_args()


def _reference(args: argparse.Namespace) -> Tool:
    own_bin = str(args.ours.absolute().parent)
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own_bin)
    found = args.reference or shutil.which("ostree", path=path)
    if found is None:
        sys.exit("no ostree on PATH to compare with: apt-get install ostree")
    return Tool("reference", Path(found))


def _run_task(task: Task, shop: Workshop, tools: Sequence[Tool], *, runs: int) -> Row:
    costs: dict[str, list[Cost]] = {tool.name: [] for tool in tools}
    failed = set()
    for run in range(runs):
        # Who goes first changes, so that no one always finds a warmer or a busier disk.
        for tool in tools if run % 2 == 0 else reversed(tools):
            if tool.name in failed:
                continue
            argv = [str(tool.path), *task.prepare(shop, tool)]
            try:
                once = [measure(argv, cwd=shop.root, env=shop.env) for _ in range(task.repeat)]
            except CommandFailedError as err:
                print(f"{tool.name}: {err}", file=sys.stderr)
                failed.add(tool.name)
            else:
                costs[tool.name].append(middle(once))
    ours, reference = (
        middle(costs[tool.name]) if costs[tool.name] and tool.name not in failed else None
        for tool in tools
    )
    return Row(task.name, ours, reference)


def _print_head(width: int) -> None:
    print(f"{'':{width}}{'wall, s':>19} {'':>7}{'CPU, s':>17}{'peak, MiB':>16}")
    wall = f"{'ours':>9} {'reference':>9} {'faster':>7}"
    print(f"{'task':{width}}{wall} {'ours':>8} {'ref.':>7} {'ours':>8} {'ref.':>6}", flush=True)


def _print_row(row: Row, width: int) -> None:
    ours, ref = row.ours, row.reference
    if ours and ref:
        text = (
            f"{ours.wall_s:9.3f} {ref.wall_s:9.3f} {ref.wall_s / ours.wall_s:6.2f}x"
            f" {ours.cpu_s:8.2f} {ref.cpu_s:7.2f}"
            f" {ours.peak_kib / 1024:8.1f} {ref.peak_kib / 1024:6.1f}"
        )
    else:
        text = "   ".join(
            f"{name}: {f'{cost.wall_s:.3f} s' if cost else 'FAILED'}"
            for name, cost in (("ours", ours), ("reference", ref))
        )
    print(f"{row.task:{width}}{text}", flush=True)


def _as_json(row: Row) -> dict[str, object]:
    return {
        "task": row.task,
        "ours": row.ours._asdict() if row.ours else None,
        "reference": row.reference._asdict() if row.reference else None,
    }


if __name__ == "__main__":
    sys.exit(main())
