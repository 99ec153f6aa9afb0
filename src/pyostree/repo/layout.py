"""The files and directories of a new repository."""

from __future__ import annotations

from pyostree.errors import doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import check_collection_id
from pyostree.fs.dir import Dir
from pyostree.repo.config import CONFIG_NAME
from pyostree.repo.modes import RepoMode

_LAYOUT = ("tmp", "extensions", "state", "refs", "refs/heads", "refs/mirrors", "refs/remotes")


def create_layout(directory: Dir, path: str, mode: RepoMode, collection_id: str | None) -> None:
    """Create the repository at `path` below `directory`, unless it is there.

    Raises:
        InvalidNameError: a bad collection ID.
        OSError: the parent directory is missing, or may not be written to.
    """
    if collection_id is not None:
        check_collection_id(collection_id)
    if directory.exists(f"{path}/objects"):
        return
    directory.make_dir(path, 0o775, exist_ok=True)
    with directory.open_dir(path) as repo:
        keyfile = KeyFile()
        keyfile.set_raw("core", "repo_version", "1")
        keyfile.set_raw("core", "mode", mode.value)
        if collection_id is not None:
            keyfile.set_raw("core", "collection-id", collection_id)
        if not repo.exists(CONFIG_NAME):
            repo.replace_file(CONFIG_NAME, keyfile.encode(), sync=False)
        for name in _LAYOUT:
            repo.make_dir(name, 0o775, exist_ok=True)
        if mode is RepoMode.BARE_USER:
            _probe_user_xattrs(repo)
        # Last, because it marks a complete repository.
        repo.make_dir("objects", 0o775, exist_ok=True)


def _probe_user_xattrs(repo: Dir) -> None:
    """Fail now rather than at the first commit where the file system lacks user xattrs."""
    from pyostree.formats.file_header import FileHeader, encode_bare_user_meta
    from pyostree.fs.tempfile import TempFile
    from pyostree.fs.xattr import set_fd_xattr
    from pyostree.repo.store.bare_user import META_XATTR

    with doing("Writing bareuser metadata"), TempFile(repo) as tmp:
        set_fd_xattr(tmp.fd, META_XATTR, encode_bare_user_meta(FileHeader(0, 0, 0o100644)))
