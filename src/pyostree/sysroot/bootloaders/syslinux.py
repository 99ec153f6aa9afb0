"""Syslinux and extlinux: ``syslinux.cfg`` with a section per boot entry.

Sections that someone else wrote are kept; ours are known by their kernel below ``/ostree/``.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.formats.bls import BootEntry
from pyostree.fs.dir import Dir
from pyostree.sysroot.bootloaders.base import BootContext, join_lines, require_linux

_CURRENT = "syslinux/syslinux.cfg"
_OUR_KERNELS = ("/ostree/", "/boot/ostree/")
_MAX_BYTES = 1 << 20


class Syslinux:
    """Back end for syslinux."""

    name = "syslinux"
    is_atomic = True

    def find(self, boot: Dir) -> Syslinux | None:
        """Return itself if ``syslinux/syslinux.cfg`` exists, be it a dangling link."""
        return self if boot.exists(_CURRENT) else None

    def write_config(self, context: BootContext, entries: Sequence[BootEntry]) -> None:
        """Write ``syslinux.cfg`` beside the new entries."""
        data = context.boot.read_file(_CURRENT, max_bytes=_MAX_BYTES)
        kept, makes_default = _keep_foreign(data.decode("utf-8", "surrogateescape").split("\n"))
        lines = list(kept)
        for number, entry in enumerate(entries):
            title = entry.get("title") or "(Untitled)"
            if number == 0 and makes_default:
                lines.append(f"DEFAULT {title}")
            lines.append(f"LABEL {title}")
            lines += _entry_lines(entry, "" if context.has_prefix else "/boot")
        context.boot.replace_file(f"{context.loader}/syslinux.cfg", join_lines(lines))

    def after_switch(self, context: BootContext) -> None:
        """Nothing is left to do."""


def _entry_lines(entry: BootEntry, prefix: str) -> list[str]:
    lines = [f"\tKERNEL {prefix}{require_linux(entry)}"]
    for keyword, key in (("INITRD", "initrd"), ("DEVICETREE", "devicetree")):
        value = entry.get(key)
        if value is not None:
            lines.append(f"\t{keyword} {prefix}{value}")
    options = entry.get("options")
    if options is not None:
        lines.append(f"\tAPPEND {options}")
    return lines


def _keep_foreign(lines: Sequence[str]) -> tuple[list[str], bool]:
    """Return the lines that are not ours, and whether the default is ours to name.

    A foreign default is kept, which the reference loses.
    """
    kept: list[str] = []
    default: str | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("DEFAULT "):
            default = line
        elif line.startswith("LABEL "):
            section = [line]
            while at < len(lines) and lines[at].startswith("\t"):
                section.append(lines[at])
                at += 1
            if not _is_ours(section):
                kept += section
        else:
            kept.append(line)
    if default is None or default.startswith("DEFAULT ostree:") or "(ostree" in default:
        return kept, True
    return [default, *kept], False


def _is_ours(section: Sequence[str]) -> bool:
    # A section that boots something else than a kernel, a disk say, is not; the reference fails
    # on it, or takes it for the section before.
    marker = "\tKERNEL "
    kernel = next((line.removeprefix(marker) for line in section if line.startswith(marker)), "")
    return kernel.startswith(_OUR_KERNELS)
