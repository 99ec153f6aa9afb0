"""Commit a directory and read a file back: ``commit_and_read.py REPO DIRECTORY PATH``."""

import shutil
import sys

from pyostree import Repo


def main() -> None:
    repo_path, directory, path = sys.argv[1:]
    with Repo.create(repo_path) as repo:
        made = repo.commit(directory, "example", subject="made by an example")
        with repo.view(made.checksum).open(path) as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


if __name__ == "__main__":
    main()
