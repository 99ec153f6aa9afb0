"""Origin files: reading one from anywhere, and changing what a deployment follows."""

from __future__ import annotations

import os

from pyostree.errors import DeploymentError
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.sysroot.deployment import Deployment
from pyostree.sysroot.sysroot import Sysroot

_MAX_BYTES = 1 << 20


def read_origin_file(path: str) -> KeyFile:
    """Return the origin in a file of the user's.

    Raises:
        OSError: it cannot be read.
        FormatError: it is no key file.
    """
    base, name = os.path.split(path)
    try:
        with Dir.at(base or ".") as directory:
            data = directory.read_file(name, max_bytes=_MAX_BYTES)
    except OSError as err:
        err.__notes__.clear()  # the reference gives the bare reason
        raise
    return KeyFile.parse(data)


def require_booted(sysroot: Sysroot) -> Deployment:
    """Return the booted deployment.

    Raises:
        DeploymentError: there is none.
    """
    if sysroot.booted is None:
        raise DeploymentError("Not currently booted into an OSTree system")
    return sysroot.booted
