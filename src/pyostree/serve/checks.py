"""`check_options`: what can be wrong before a server starts, or reloads."""

from __future__ import annotations

import ssl
from importlib.util import find_spec

from pyostree.errors import ConflictError, OstreeError, UnsupportedError
from pyostree.serve.options import Certificates, ServeOptions
from pyostree.serve.worker import open_access_log


class MissingEngineError(UnsupportedError):
    """The HTTP engine is not installed."""

    hint = "pip install 'pyostree[serve]'"


class CertificateError(OstreeError):
    """A certificate cannot be used."""

    hint = "both files are PEM; the first has the server's certificate, then those above it"


def check_options(options: ServeOptions) -> None:
    """Raise what a worker would only find when it starts.

    Raises:
        OstreeError, OSError: it cannot work.
    """
    if find_spec("granian") is None:
        raise MissingEngineError("Serving needs the package granian, which is not installed")
    if options.port_file == "-" and options.access_log == "-":
        raise ConflictError("Cannot use --port-file=- and --access-log=- at the same time")
    if options.certificates is not None:
        _check_certificates(options.certificates)
    if (log := open_access_log(options.access_log)) is not None:
        log.close()


def _check_certificates(certificates: Certificates) -> None:
    chain, key = certificates
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, _no_password)
    except ssl.SSLError as err:
        raise CertificateError(f"Cannot use certificate {chain} with key {key}: {err}") from err
    except OSError as err:
        raise CertificateError(f"Cannot read certificate {chain} or key {key}: {err}") from err


def _no_password() -> str:
    # Nobody is there to type one when a worker is replaced.
    raise CertificateError("The key is encrypted")
