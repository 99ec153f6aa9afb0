"""Keep the newest commits of each ref, delete the rest, check all: ``keep_tidy.py REPO COUNT``."""

import sys

from pyostree import PruneOptions, Repo


def main() -> int:
    repo_path, count = sys.argv[1], int(sys.argv[2])
    with Repo.open(repo_path) as repo:
        for ref, commit in repo.list_refs().items():
            kept = min(count, sum(1 for _ in repo.history(commit)))
            print(f"{ref}: keeping {kept}")
        done = repo.prune(PruneOptions(refs_only=True, depth=count - 1))
        print(f"deleted {done.deleted} of {done.total} objects")
        report = repo.fsck()
        for problem in report.problems:
            print(problem, file=sys.stderr)
        return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
