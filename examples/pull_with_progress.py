"""Pull a branch, saying how far it is; Ctrl-C stops: ``pull_with_progress.py REPO URL BRANCH``."""

import signal
import sys

from pyostree import Cancel, CancelledError, Progress, Repo, RepoMode


def show(progress: Progress) -> None:
    if progress.total is None or progress.fraction is None:
        return
    size = "" if progress.bytes_total is None else f", {progress.bytes_total:,} bytes"
    left_s = progress.seconds_left
    rest = "" if left_s is None else f", {left_s} s left"
    print(f"{progress.phase} {progress.fraction:4.0%} of {progress.total} objects{size}{rest}")


def main() -> int:
    repo_path, url, branch = sys.argv[1:]
    cancel = Cancel()
    signal.signal(signal.SIGINT, lambda *_: cancel.cancel())
    with Repo.create(repo_path, RepoMode.BARE_USER_ONLY) as repo:
        repo.remotes.add("origin", url, gpg_verify=False, replace=True)  # better: sign, and verify
        try:
            result = repo.pull("origin", branch, progress=show, cancel=cancel)
        except CancelledError:
            print("stopped; the next run goes on from here", file=sys.stderr)
            return 130
    for ref in result.refs:
        print(ref.name, "is new" if ref.previous != ref.commit else "is as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main())
