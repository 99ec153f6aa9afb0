"""Check out, saying how far it is; Ctrl-C stops: ``checkout_with_progress.py REPO REV DIR``."""

import signal
import sys

from pyostree import Cancel, CancelledError, CheckoutOptions, Progress, Repo


def show(progress: Progress) -> None:
    if progress.fraction is not None:
        left_s = progress.seconds_left
        rest = "" if left_s is None else f", {left_s} s left"
        print(f"{progress.phase} {progress.fraction:4.0%} of {progress.total} files{rest}")


def main() -> int:
    repo_path, rev, directory = sys.argv[1:]
    cancel = Cancel()
    signal.signal(signal.SIGINT, lambda *_: cancel.cancel())
    with Repo.open(repo_path) as repo:
        options = CheckoutOptions(user_mode=True)  # owners are for root alone
        try:
            repo.checkout(rev, directory, options, progress=show, cancel=cancel)
        except CancelledError:
            print("stopped; what was written so far stays", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
