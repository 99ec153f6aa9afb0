"""The files ``summary`` and ``summary.sig`` of a repository on this machine: read, and mirrored."""

from __future__ import annotations

from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.remote.fetch import Validators
from pyostree.remote.summary_cache import CachedFile, write_cached_file
from pyostree.remote.summary_fetcher import SIGNATURE, SUMMARY, SummaryFiles
from pyostree.repo.repo import Repo


def read_summary_files(source: Repo) -> SummaryFiles:
    """Return the files of a repository on this machine."""
    return SummaryFiles(_read(source, SUMMARY), _read(source, SIGNATURE))


def _read(source: Repo, name: str) -> CachedFile | None:
    try:
        data = source.dir.read_regular(name, max_bytes=MAX_METADATA_BYTES)
    except FileNotFoundError:
        return None
    mtime = source.dir.stat(name, follow=True).st_mtime
    return CachedFile(data, Validators(None, int(mtime)))


def mirror_summary(repo: Repo, files: SummaryFiles) -> None:
    """Give `repo` the summary of the remote that it mirrors completely."""
    if files.summary is None or repo.config.auto_update_summary():
        return
    for name, file in ((SUMMARY, files.summary), (SIGNATURE, files.signature)):
        if file is None:
            repo.dir.remove(name, missing_ok=True)  # it would belong to another summary
        else:
            write_cached_file(repo.dir, name, file, sync=repo.fsync)
