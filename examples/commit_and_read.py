"""Commit a directory and read a file back: ``commit_and_read.py REPO DIRECTORY PATH``."""

import sys

from pyostree import CommitModifier, CommitRequest, CommitTree, Repo, TreeSource, commit


def main() -> None:
    repo_path, directory, path = sys.argv[1:]
    with Repo.create(repo_path) as repo:
        request = CommitRequest(
            branch="example",
            trees=(TreeSource("dir", directory),),
            modifier=CommitModifier(),
            subject="made by an example",
        )
        made = commit(repo, request)
        entry = CommitTree(repo, made.checksum).look_up_content(path)
        with repo.store.open_content(entry.checksum) as content:
            for chunk in content.chunks():
                sys.stdout.buffer.write(chunk)


if __name__ == "__main__":
    main()
