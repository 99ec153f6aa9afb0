"""What the environment says about making deployments, and where progress is printed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pyostree.sysroot import Sysroot

_DEBUG_WORDS = ("mutable-deployments", "test-fifreeze", "no-xattrs", "no-dtb")
_SEPARATORS = str.maketrans(dict.fromkeys(":;,\t", " "))


def set_up(sysroot: Sysroot, out: TextIO) -> None:
    """Let a sysroot follow the environment, and print its messages."""
    from pyostree.sysroot import SysrootSettings

    debug = _words("OSTREE_SYSROOT_DEBUG")
    if "help" in debug:
        sys.stderr.write(f"Supported debug values: {' '.join(_DEBUG_WORDS)} all help\n")
    if "all" in debug:
        debug |= frozenset(_DEBUG_WORDS)
    sysroot.settings = SysrootSettings(
        mutable_deployments="mutable-deployments" in debug,
        copy_xattrs="no-xattrs" not in debug,
        use_devicetree="no-dtb" not in debug,
        fail_freeze="test-fifreeze" in debug,
        old_entry_names="bootloader-naming-1" in _words("OSTREE_SYSROOT_OPTS"),
        stage="OSTREE_EX_STAGE_DEPLOYMENTS" in os.environ,
        grub2_exec=os.environ.get("OSTREE_GRUB2_EXEC"),
        inherit_output=any(name in os.environ for name in ("INVOCATION_ID", "OSTREE_DEBUG_GRUB2")),
    )

    def show(text: str) -> None:
        print(text, file=out, flush=True)

    sysroot.on_message = show


def _words(variable: str) -> frozenset[str]:
    return frozenset(os.environ.get(variable, "").lower().translate(_SEPARATORS).split())
