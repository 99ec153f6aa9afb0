"""Boot links: ``ostree/boot.V.S/OS/BOOTCSUM/BOOTSERIAL``, which boot entries name.

A deployment list that needs the same boot entries as the one before only moves ``ostree/boot.V``
from one set of links to the other; ``/boot`` is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import doing
from pyostree.fs.dir import Dir
from pyostree.sysroot.deployment import Deployment


def create_boot_links(
    sysroot: Dir, bootversion: int, subbootversion: int, deployments: Sequence[Deployment]
) -> None:
    """Create the links of a version that is not in use."""
    with doing("Creating new current bootlinks"):
        base = f"ostree/boot.{bootversion}.{subbootversion}"
        sysroot.remove_tree(base)
        sysroot.make_dir(base, 0o755)
        with sysroot.open_dir(base) as links:
            for one in deployments:
                directory = f"{one.stateroot}/{one.bootcsum}"
                links.make_dirs(directory, 0o755)
                target = f"../../../deploy/{one.stateroot}/deploy/{one.name}"
                links.replace_symlink(target, f"{directory}/{one.bootserial}")


def swap_boot_links(sysroot: Dir, bootversion: int, subbootversion: int) -> None:
    """Let ``ostree/boot.V`` point to another set of links, atomically and durably."""
    with doing("Swapping new version bootlinks"):
        name = f"boot.{bootversion}"
        sysroot.replace_symlink(f"{name}.{subbootversion}", f"ostree/{name}")
        # The old links are removed next: that must not reach the disk before this.
        sysroot.sync_dir("ostree")


def assign_bootserials(deployments: Sequence[Deployment]) -> tuple[Deployment, ...]:
    """Return the deployments with new bootserials: those of one bootcsum counted in list order."""
    counts: dict[str, int] = {}
    result = []
    for one in deployments:
        serial = counts.get(one.bootcsum, 0)
        counts[one.bootcsum] = serial + 1
        result.append(one._replace(bootserial=serial))
    return tuple(result)
