"""`Supplies`: what workers get from their parent, opened and found to be in order."""

from __future__ import annotations

from contextlib import ExitStack

from pyostree.closing import Closing
from pyostree.serve.certificates import LoadedCertificates
from pyostree.serve.checks import check_options
from pyostree.serve.options import ServeOptions
from pyostree.serve.sites import Sites


class Supplies(Closing):
    """Repositories and certificates; a reload opens all of them anew.

    Attributes:
        sites: the repositories.
        certificates: None: plain HTTP.
    """

    def __init__(self, options: ServeOptions) -> None:
        """Open them, and check what else a worker needs.

        Raises:
            OstreeError, OSError: it cannot work.
        """
        check_options(options)
        with ExitStack() as stack:
            self.sites = stack.enter_context(Sites(options.places, numbered=options.advertise))
            self.certificates: LoadedCertificates | None = None
            if options.certificates is not None:
                self.certificates = stack.enter_context(LoadedCertificates(options.certificates))
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Close all."""
        self._stack.close()
