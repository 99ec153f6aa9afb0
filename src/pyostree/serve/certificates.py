"""`LoadedCertificates`: a certificate and its key, read once and found to work."""

from __future__ import annotations

import os
import ssl

from pyostree.closing import Closing
from pyostree.errors import OstreeError, describe
from pyostree.fs.dir import Dir
from pyostree.fs.memory_file import MemoryFile
from pyostree.serve.options import Certificates
from pyostree.serve.trial import TrialError, try_certificates

_MAX_BYTES = 4 << 20


class CertificateError(OstreeError):
    """A certificate cannot be used."""

    hint = "both files are PEM; the first has the server's certificate, then those above it"


class UnsupportedCertificateError(CertificateError):
    """A certificate is in order, but the engine has no means for its kind of key."""

    hint = "use a key of RSA, of ECDSA with P-256 or P-384, or of Ed25519"


class LoadedCertificates(Closing):
    """What a server identifies itself with; files that change meanwhile do not count.

    So workers that start later, in place of others, have the same, whatever lies there by then.
    """

    def __init__(self, paths: Certificates) -> None:
        """Read and try them.

        Raises:
            CertificateError: they cannot be used.
        """
        try:
            contents = [_read(path) for path in paths]
        except OSError as err:
            raise CertificateError(
                f"Cannot read certificate {paths.chain} or key {paths.key}: {describe(err)}"
            ) from err
        self._files = [MemoryFile(content) for content in contents]
        try:
            _check(self.copies, paths)
        except BaseException:
            self.close()
            raise

    @property
    def copies(self) -> Certificates:
        """Where this process, and those forked from it, find them."""
        return Certificates(*(f"/proc/self/fd/{file.fd}" for file in self._files))

    def close(self) -> None:
        """Forget them."""
        for file in self._files:
            file.close()


def _read(path: str) -> bytes:
    parent, name = Dir.above(os.path.abspath(path))
    with parent:
        return parent.read_file(name, max_bytes=_MAX_BYTES)


def _check(copies: Certificates, paths: Certificates) -> None:
    which = f"Cannot use certificate {paths.chain} with key {paths.key}"
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(copies.chain, copies.key, _no_password)
    except ssl.SSLError as err:
        raise CertificateError(f"{which}: {err}") from err
    try:
        try_certificates(copies)
    except TrialError as err:
        raise UnsupportedCertificateError(f"{which}: {err}") from err


def _no_password() -> str:
    # Nobody is there to type one when a worker is replaced.
    raise CertificateError("The key is encrypted")
