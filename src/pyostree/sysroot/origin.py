"""Origin files: reading one from anywhere, and changing what a deployment follows."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyostree.errors import DeploymentError, OstreeError
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import parse_refspec
from pyostree.fs.dir import Dir
from pyostree.remote.add_remote import IfExists, NewRemote, add_remote, parse_setting
from pyostree.remote.remotes import Remotes
from pyostree.sysroot.deploy import write_origin
from pyostree.sysroot.deployment import Deployment, new_origin
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


class NewOrigin(NamedTuple):
    """A remote, made unless it exists, and a branch to follow.

    Attributes:
        branch: None keeps the one that the deployment follows now.
        options: further keys of the remote, ``KEY=VALUE``.
    """

    remote: str
    url: str
    branch: str | None = None
    options: tuple[str, ...] = ()


def set_origin(sysroot: Sysroot, deployment: Deployment, new: NewOrigin) -> None:
    """Let a deployment follow another remote or branch; nothing else of its origin stays.

    Raises:
        OstreeError: a bad name or option, or no branch is known.
    """
    options = tuple(parse_setting(text) for text in new.options)
    remotes = Remotes.load(sysroot.repo)
    add_remote(remotes, NewRemote(new.remote, new.url, options=options), IfExists.KEEP)
    branch = new.branch
    if branch is None:
        if deployment.refspec is None:
            raise OstreeError("No host refspec found, branch is required")
        branch = parse_refspec(deployment.refspec).ref
    write_origin(sysroot, deployment, new_origin(f"{new.remote}:{branch}"))
