"""fs-verity: files whose content the kernel checks at each read and lets nobody change."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

_FS_IOC_ENABLE_VERITY = 0x40806685
# struct fsverity_enable_arg: version 1, SHA-256, blocks of 4096 bytes, neither salt nor signature.
_REQUEST = struct.pack("=IIIIQIIQ11Q", 1, 1, 4096, *[0] * 16)
_UNSUPPORTED = (errno.ENOTTY, errno.EOPNOTSUPP)


def enable_verity(fd: int) -> bool:
    """Seal a file; return False where the file system or the kernel cannot.

    Args:
        fd: open for reading; nobody may have the file open for writing.
    """
    try:
        fcntl.ioctl(fd, _FS_IOC_ENABLE_VERITY, _REQUEST)
    except OSError as err:
        if err.errno in _UNSUPPORTED:
            return False
        failed = OSError(err.errno, os.strerror(err.errno or 0))
        failed.add_note("ioctl(FS_IOC_ENABLE_VERITY)")
        failed.add_note("fsverity")
        raise failed from None
    return True
