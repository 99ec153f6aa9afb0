"""Empty sysroots and empty stateroots."""

from __future__ import annotations

from pyostree.errors import OstreeError, doing
from pyostree.fs.dir import Dir
from pyostree.repo.repo import Repo
from pyostree.sysroot.sysroot import Sysroot

# What a root file system has had since 1993, and newer ones leave to their deployments.
_EPOCH_0 = ("dev", "home", "proc", "run", "sys")
_EPOCH_PRIVATE = 2


def init_fs(path: str, *, epoch: int = 0) -> None:
    """Prepare the directory at `path` to hold deployments; doing it again is harmless.

    Args:
        epoch: 0 makes the classic top-level directories too, 1 only what is needed, 2 in addition
            keeps ``ostree/`` private.

    Raises:
        OSError: the directory is missing or may not be written to.
        OstreeError: a negative epoch.
    """
    with Dir.at(path) as root:
        root.make_dir("boot", 0o755, exist_ok=True)
        if epoch < 0:
            raise OstreeError(f"Invalid epoch: {epoch}")
        if epoch == 0:
            _make_classic(root)
        if epoch == _EPOCH_PRIVATE:
            root.make_dir("ostree", 0o700, exist_ok=True)
        make_ostree_dirs(root)


def _make_classic(root: Dir) -> None:
    for name in _EPOCH_0:
        root.make_dir(name, 0o755, exist_ok=True)
    root.make_dir("root", 0o700, exist_ok=True)
    if root.make_dir("tmp", 0o1777, exist_ok=True):
        root.chmod("tmp", 0o1777)


def make_ostree_dirs(root: Dir) -> None:
    """Make sure that a root has a repository and a place for deployments."""
    root.make_dirs("ostree/repo", 0o755)
    root.make_dirs("ostree/deploy", 0o755)
    Repo.create_below(root, "ostree/repo").close()


def init_stateroot(sysroot: Sysroot, name: str) -> None:
    """Create the stateroot `name`, with an empty ``/var``.

    Raises:
        OSError: it exists already.
    """
    make_ostree_dirs(sysroot.dir)
    path = f"ostree/deploy/{name}"
    with doing(f"Creating {path}"):
        try:
            sysroot.dir.make_dir(path, 0o777)
        except OSError as err:
            err.__notes__.remove("mkdirat")  # the reference does not say
            raise
        sysroot.dir.make_dir(f"{path}/var", 0o777)
    sysroot.touch()
