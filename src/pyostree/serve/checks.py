"""`check_options`: what can be wrong before a server starts, or reloads."""

from __future__ import annotations

from importlib.util import find_spec

from pyostree.errors import ConflictError, UnsupportedError
from pyostree.serve.options import ServeOptions
from pyostree.serve.worker import open_access_log


class MissingEngineError(UnsupportedError):
    """The HTTP engine is not installed."""

    hint = "pip install 'pyostree[serve]'"


def check_options(options: ServeOptions) -> None:
    """Raise what a worker would only find when it starts.

    Raises:
        OstreeError, OSError: it cannot work.
    """
    if find_spec("granian") is None:
        raise MissingEngineError("Serving needs the package granian, which is not installed")
    if options.port_file == "-" and options.access_log == "-":
        raise ConflictError("Cannot use --port-file=- and --access-log=- at the same time")
    if options.advertise and options.certificates is not None:
        raise ConflictError("Cannot announce a server with TLS: peers speak plain HTTP")
    if (log := open_access_log(options.access_log)) is not None:
        log.close()
