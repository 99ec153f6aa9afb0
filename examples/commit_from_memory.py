"""Commit a tree that never was on the disk: ``commit_from_memory.py REPO``."""

import sys

from pyostree import MemoryTree, Repo, RepoMode


def build() -> MemoryTree:
    tree = MemoryTree()
    tree.add_dir("/", mode=0o755)
    tree.add_file("/usr/bin/hello", b"#!/bin/sh\necho hello\n", mode=0o755)
    tree.add_file("/usr/etc/motd", b"welcome\n")
    tree.add_symlink("/bin", "usr/bin")
    tree.add_dir("/var/lib/secrets", mode=0o700, uid=42, gid=42)
    return tree


def main() -> None:
    with Repo.create(sys.argv[1], RepoMode.ARCHIVE) as repo:
        made = repo.commit(build(), "image", subject="built", metadata={"version": "1"})
        for entry in repo.view(made.checksum).walk():
            print(f"{entry.mode:06o} {entry.uid:2} {entry.path}")


if __name__ == "__main__":
    main()
