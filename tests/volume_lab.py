"""Real file systems for tests: images on loop devices, mounted in a mount namespace of the test."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_MKFS = {"ext4": ("mkfs.ext4", "-q", "-F"), "vfat": ("mkfs.vfat",)}
_OPTIONS = {"ext4": "loop", "vfat": "loop,utf8,fmask=0022,dmask=0022,showexec,flush"}


def available_file_systems() -> list[str]:
    """Return of ext4 and vfat what this kernel can mount."""
    known = Path("/proc/filesystems").read_text().split()
    return [kind for kind in _MKFS if kind in known]


def make_image(path: Path, kind: str) -> Path:
    """Create an empty file system in a file."""
    with path.open("wb") as image:
        image.truncate(16 << 20)
    subprocess.run([*_MKFS[kind], path], check=True, capture_output=True)
    return path


def run_with_volumes(
    volumes: Mapping[str, tuple[Path, str]], script: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run a shell script that alone sees images mounted.

    Args:
        volumes: for each mount point an image and its kind; places below ``/media``, ``/mnt``,
            ``/run/media`` only, which are empty but for them.
    """
    lines = ["set -e", "mount -t tmpfs none /media", "mount -t tmpfs none /mnt"]
    if any(place.startswith("/run/") for place in volumes):
        lines += ["mount -t tmpfs none /run"]
    for place, (image, kind) in volumes.items():
        lines += [f"mkdir -p '{place}'", f"mount -t {kind} -o {_OPTIONS[kind]} {image} '{place}'"]
    words: Sequence[str | Path] = ("\n".join([*lines, script]), "sh", *arguments)
    return subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", *words],
        check=False,
        capture_output=True,
        text=True,
    )
