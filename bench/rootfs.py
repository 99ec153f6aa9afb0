"""The root file system that the benchmarks work on, made once from Debian packages."""

import os
import shutil
import subprocess
from pathlib import Path

_PACKAGES = "linux-image-amd64,python3,git,vim,gcc"
_SMALL_PART = "usr/share"


def cache_dir() -> Path:
    """Return the directory that survives between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pyostree/bench"


def unpack_rootfs(destination: Path, *, small: bool) -> None:
    """Fill `destination` with the root file system, building the cached archive if there is none.

    Args:
        destination: must not exist.
        small: only a part, thousands of small files.
    """
    archive = _cached_archive()
    destination.mkdir()
    # Device nodes have no place in a commit; a deployment gets its /dev at boot.
    subprocess.run(
        ["tar", "-x", "-f", archive, "-C", destination, "--exclude=./dev/*", "--xattrs", "-p"],
        check=True,
    )
    if small:
        part = destination.with_name("part")
        (destination / _SMALL_PART).rename(part)
        shutil.rmtree(destination)
        part.rename(destination)


def _cached_archive() -> Path:
    suite = _debian_suite()
    archive = cache_dir() / f"rootfs-{suite}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        unfinished = archive.with_name(f"unfinished-{archive.name}")
        subprocess.run(
            ["mmdebstrap", "--variant=standard", f"--include={_PACKAGES}", suite, unfinished],
            check=True,
        )
        unfinished.rename(archive)
    return archive


def _debian_suite() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "stable"
