"""Writing a commit as a tar archive, to a path or to a stream."""

from __future__ import annotations

import os
from typing import BinaryIO

from pyostree.formats.objects import Checksum
from pyostree.progress import Watch
from pyostree.repo.repo import Repo
from pyostree.repo.tar_export import export_tar, export_to_file


def export_to(
    repo: Repo,
    commit: Checksum,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    subpath: str | None,
    prefix: str,
    watch: Watch,
) -> None:
    """Write the archive (errors as `export_to_file`, or those of the stream)."""
    rev = str(commit)
    if isinstance(target, str | os.PathLike):
        path = os.fspath(target)
        export_to_file(repo, rev, path, subpath=subpath, prefix=prefix, watch=watch)
        return
    for piece in export_tar(repo, rev, subpath=subpath, prefix=prefix, watch=watch):
        target.write(piece)
