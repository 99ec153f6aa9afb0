"""``python -m tests.conformance``: run the reference's suite and compare with the passing list."""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.conformance.suite import REFERENCE, FileResult, Suite, become_subreaper, suite_files

HERE = Path(__file__).parent
PASSING = HERE / "passing.txt"
BUILD = HERE.parent.parent / ".build/conformance"


def main() -> int:
    """Run the files asked for; 1 if one listed as passing does not, or one named fails."""
    args = _parse_args()
    listed = _read_list(PASSING)
    names = _select(args, listed)
    if not names:
        print("no test files: is the Debian package ostree-tests installed?", file=sys.stderr)
        return 1
    ostree = (REFERENCE if args.reference else args.ostree).absolute()
    build = BUILD / ("reference" if args.reference else "ours")
    os.nice(args.nice)
    become_subreaper()
    build.mkdir(parents=True, exist_ok=True)
    in_use = (build / "in-use").open("w")
    fcntl.flock(in_use, fcntl.LOCK_EX)  # a second run would replace the suite under the first
    suite = Suite(ostree, build, keep=args.keep)
    results = _run_all(suite, names, args)
    failing = {result.name for result in results if result.verdict != "pass"}
    _print_totals(results, suite.logs)
    if args.reference:
        return 0
    if args.update:
        _add_to_list({result.name for result in results} - failing - listed)
    lost = sorted(failing & (set(args.files) or listed))
    for name in lost:
        print(f"no longer passes: {name} (see {suite.logs / name}.log)")
    for name in sorted({result.name for result in results} - failing - listed):
        print(f"passes, not in {PASSING.name} yet: {name}")
    _print_closing(results)
    return 1 if lost else 0


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as test-refs.sh")
    parser.add_argument("--all", action="store_true", help="every file of the suite")
    parser.add_argument("--listed", action="store_true", help="the files in passing.txt (default)")
    parser.add_argument("--update", action="store_true", help="add what passes to passing.txt")
    parser.add_argument("--reference", action="store_true", help="test the C ostree instead")
    parser.add_argument("--ostree", type=Path, default=Path(sys.executable).parent / "ostree")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="for each file")
    parser.add_argument("--keep", action="store_true", help="keep the tests' directories")
    parser.add_argument("--nice", type=int, default=0)
    return parser.parse_args()


def _select(args: argparse.Namespace, listed: set[str]) -> list[str]:
    known = suite_files()
    if args.files:
        names = [Path(name).name for name in args.files]
        if unknown := sorted(set(names) - set(known)):
            sys.exit(f"no such test file: {', '.join(unknown)}")
        return names
    return list(known) if args.all else sorted(listed)


def _run_all(suite: Suite, names: Sequence[str], args: argparse.Namespace) -> list[FileResult]:
    times_file = suite.logs.parent / "times.json"
    times: dict[str, float] = json.loads(times_file.read_text()) if times_file.exists() else {}
    # The longest first: otherwise a core idles while the other finishes one.
    ordered = sorted(names, key=lambda name: -times.get(name, 1e9))
    results = []
    print(f"{'file':48} {'ok':>4} {'failed':>6} {'skipped':>7} {'seconds':>8}")
    with ThreadPoolExecutor(args.jobs) as pool:
        running = [pool.submit(suite.run, name, timeout_s=args.timeout) for name in ordered]
        for future in as_completed(running):
            result = future.result()
            results.append(result)
            times[result.name] = round(result.seconds, 1)
            _print_row(result)
    times_file.write_text(json.dumps(times, indent=0, sort_keys=True))
    return sorted(results)


def _print_row(result: FileResult) -> None:
    tap = result.tap
    said = "" if result.verdict == "pass" else f"  {result.verdict.upper()}"
    print(
        f"{result.name:48} {tap.ok:4} {tap.failed:6} {tap.skipped:7} {result.seconds:8.1f}{said}",
        flush=True,
    )


def _print_totals(results: Iterable[FileResult], logs: Path) -> None:
    rows = list(results)
    ok, failed, skipped = (sum(r.tap[column] or 0 for r in rows) for column in range(3))
    seconds = sum(r.seconds for r in rows)
    print(f"{f'total of {len(rows)} files':48} {ok:4} {failed:6} {skipped:7} {seconds:8.1f}")
    print(f"logs: {logs}")


def _print_closing(results: Sequence[FileResult]) -> None:
    verdicts = [result.verdict for result in results]
    passed, skipped = verdicts.count("pass"), verdicts.count("skip")
    print(f"{passed} passed, {len(verdicts) - passed - skipped} failed, {skipped} skipped")


def _read_list(path: Path) -> set[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def _add_to_list(names: set[str]) -> None:
    head = [line for line in PASSING.read_text().splitlines() if line.startswith("#")]
    PASSING.write_text("\n".join([*head, *sorted(_read_list(PASSING) | names)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
