"""`FileContexts`: the labels that an SELinux policy has for paths, looked up by ``libselinux``."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Mapping
from functools import cache

from pyostree.errors import OstreeError, UnsupportedError
from pyostree.fs.tempdir import private_directory

# Named as the library names them; all but the first may be missing. Compiled forms are left alone:
# the library trusts them, and trees come from anywhere.
CONTEXT_FILES = (
    "file_contexts",
    "file_contexts.homedirs",
    "file_contexts.local",
    "file_contexts.subs",
    "file_contexts.subs_dist",
)
_LIBRARY = "libselinux.so.1"
_SELABEL_CTX_FILE = 0
_SELABEL_OPT_PATH = 3


class _Option(ctypes.Structure):
    """``struct selinux_opt`` of the library."""

    _fields_ = (("type", ctypes.c_int), ("value", ctypes.c_char_p))


class SelinuxUnavailableError(UnsupportedError):
    """The library that reads SELinux policies is not installed."""

    hint = "install the package libselinux1 (Debian) or libselinux (Fedora)"


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError as err:
        raise SelinuxUnavailableError(f"SELinux labels need {_LIBRARY}: {err}") from err
    library.selabel_open.restype = ctypes.c_void_p
    library.selabel_open.argtypes = (ctypes.c_uint, ctypes.POINTER(_Option), ctypes.c_uint)
    library.selabel_close.restype = None
    library.selabel_close.argtypes = (ctypes.c_void_p,)
    library.selabel_lookup_raw.restype = ctypes.c_int
    library.selabel_lookup_raw.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_char_p,
        ctypes.c_int,
    )
    library.freecon.restype = None
    library.freecon.argtypes = (ctypes.c_void_p,)
    return library


class _Handle:
    """The library's data of one thread, freed with it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._library = _library()
        with private_directory("ostree-selinux-") as directory:
            for name in CONTEXT_FILES:
                if name in files:
                    directory.create_file(name, files[name])
            path = os.fsencode(f"{directory.label}/{CONTEXT_FILES[0]}")
            option = _Option(_SELABEL_OPT_PATH, path)
            self._handle = self._library.selabel_open(_SELABEL_CTX_FILE, ctypes.byref(option), 1)
            code = ctypes.get_errno()
        if not self._handle:
            err = OSError(code, os.strerror(code))
            err.add_note("selabel_open(SELABEL_CTX_FILE)")
            raise err

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            self._library.selabel_close(handle)

    def look_up(self, path: bytes, mode: int) -> bytes | None:
        found = ctypes.c_void_p()
        ctypes.set_errno(0)
        result = self._library.selabel_lookup_raw(self._handle, ctypes.byref(found), path, mode)
        if result != 0:
            code = ctypes.get_errno()
            if code == errno.ENOENT:
                return None
            raise OstreeError(f"selabel_lookup: {os.strerror(code)}")
        try:
            return ctypes.string_at(found.value) if found.value else None
        finally:
            self._library.freecon(found)


class FileContexts:
    """Looks up labels; may be used from several threads, and from copies of the process.

    Each thread has the library's data for itself, so that none waits for another; releases of the
    library before 3.2 do not lock what they compile at the first use.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Take the text of `CONTEXT_FILES`.

        Raises:
            OSError: the first of them is missing, or one is malformed.
            SelinuxUnavailableError: the library is not installed.
        """
        self._files = dict(files)
        self._local = threading.local()
        self._own()

    def _own(self) -> _Handle:
        found: _Handle | None = getattr(self._local, "handle", None)
        if found is None:
            found = self._local.handle = _Handle(self._files)
        return found

    def look_up(self, path: str, mode: int) -> bytes | None:
        """Return the label of an absolute path; None when the policy has none for it.

        Args:
            mode: with the type bits.

        Raises:
            OstreeError: the policy has a broken pattern.
        """
        return self._own().look_up(os.fsencode(path), mode)
