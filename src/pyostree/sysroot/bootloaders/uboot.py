"""U-Boot: ``uEnv.txt``, variables that its boot script loads.

The first entry gives ``kernel_image``, ``ramdisk_image``, ``fdt_file`` or ``fdtdir`` and
``bootargs``; the next ones carry a number, ``kernel_image2`` and so on, for a script to fall back
to. A deployment can add lines of its own with ``usr/lib/ostree-boot/uEnv.txt``.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.errors import FormatError
from pyostree.formats.bls import BootEntry
from pyostree.formats.kargs import KernelArgs
from pyostree.fs.dir import Dir
from pyostree.fs.resolve import is_file_in_root, read_file_in_root
from pyostree.sysroot.bootloaders.base import BootContext, join_lines, require_linux

_CONFIG = "uEnv.txt"
_OF_DEPLOYMENT = "usr/lib/ostree-boot/uEnv.txt"
_MAX_BYTES = 1 << 20


class UBoot:
    """Back end for U-Boot."""

    name = "U-Boot"
    is_atomic = True

    def find(self, boot: Dir) -> UBoot | None:
        """Return itself if ``loader/uEnv.txt`` exists, be it a dangling link."""
        return self if boot.exists(f"loader/{_CONFIG}") else None

    def write_config(self, context: BootContext, entries: Sequence[BootEntry]) -> None:
        """Write ``uEnv.txt`` beside the new entries."""
        try:
            context.boot.read_file(f"loader/{_CONFIG}", max_bytes=_MAX_BYTES)
        except OSError as err:
            err.__notes__[:] = [f"openat(boot/loader/{_CONFIG})"]
            raise
        lines: list[str] = []
        for number, entry in enumerate(entries, 1):
            lines += _entry_lines(entry, "" if number == 1 else str(number))
            if number == 1:
                lines += _own_lines(context.sysroot, entry)
        context.boot.replace_file(f"{context.loader}/{_CONFIG}", join_lines(lines))

    def after_switch(self, context: BootContext) -> None:
        """Nothing is left to do."""


def _entry_lines(entry: BootEntry, suffix: str) -> list[str]:
    require_linux(entry)
    variables = (
        ("kernel_image", "linux"),
        ("ramdisk_image", "initrd"),
        ("fdt_file", "devicetree"),
        ("fdtdir", "fdtdir"),
    )
    lines = []
    for variable, key in variables:
        value = entry.get(key)
        if value is not None:
            lines.append(f"{variable}{suffix}=/boot{value}")
    options = entry.get("options")
    if options is not None:
        lines.append(f"bootargs{suffix}={options}")
    return lines


def _own_lines(sysroot: Dir, entry: BootEntry) -> list[str]:
    """Return what the deployment of an entry adds, as one item that may hold line breaks."""
    link = KernelArgs.parse(entry.get("options") or "").last_value("ostree")
    if link is None:
        raise FormatError("No ostree= kernel argument found in boot loader configuration file")
    with sysroot.open_dir(link.lstrip("/")) as deployment:
        if not is_file_in_root(deployment, _OF_DEPLOYMENT):
            return []
        data = read_file_in_root(deployment, _OF_DEPLOYMENT, max_bytes=_MAX_BYTES)
    return [data.decode("utf-8", "surrogateescape")]
