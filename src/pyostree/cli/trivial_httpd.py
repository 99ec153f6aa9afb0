"""``ostree trivial-httpd [DIR]``: serve a directory over HTTP."""

from __future__ import annotations

import sys
from typing import NamedTuple, TextIO

from pyostree.cli.needs import NOTHING
from pyostree.cli.options import UsageError, filename, flag, integer, positional, texts

PARAMETERS = "[DIR]"
NEEDS = NOTHING
OPTIONS = (
    flag("daemonize", "d", help="Go on in the background when ready"),
    flag("autoexit", help="End when the directory is deleted"),
    integer("port", "P", metavar="PORT", help="TCP port; default: any free one"),
    filename("port-file", "p", metavar="PATH", help="Write the port to PATH (- is stdout)"),
    flag("force-range-requests", help="Send half of each object unless a range is asked for"),
    flag("require-basic-auth", help="Ask for the user foouser with the password barpw"),
    integer("random-500s", metavar="PERCENTAGE", help="Fail so many requests with status 500"),
    integer("random-500s-max", metavar="MAX", help="But no more than MAX (default: 100)"),
    integer("random-408s", metavar="PERCENTAGE", help="Fail so many requests with status 408"),
    integer("random-408s-max", metavar="MAX", help="But no more than MAX (default: 100)"),
    filename("log-file", metavar="PATH", help="Write a log to PATH, a new file (- is stdout)"),
    texts("expected-cookies", metavar="KEY=VALUE", help="Refuse requests without this cookie"),
    texts("expected-header", metavar="KEY=VALUE", help="Refuse requests without this header"),
    positional("root"),
)
_DEFAULT_MAX = 100


class Args(NamedTuple):
    """Values of the options."""

    daemonize: bool
    autoexit: bool
    port: int | None
    port_file: str | None
    force_range_requests: bool
    require_basic_auth: bool
    random_500s: int | None
    random_500s_max: int | None
    random_408s: int | None
    random_408s_max: int | None
    log_file: str | None
    expected_cookies: tuple[str, ...]
    expected_header: tuple[str, ...]
    root: str | None


def run(args: Args, out: TextIO) -> None:
    """Serve until killed."""
    from pyostree.errors import ConflictError
    from pyostree.remote.httpd.faults import FaultSettings
    from pyostree.remote.httpd.run import HttpdOptions, run_httpd

    faults = FaultSettings(
        half_files=args.force_range_requests,
        basic_auth=args.require_basic_auth,
        random_500s=args.random_500s or 0,
        random_500s_max=_DEFAULT_MAX if args.random_500s_max is None else args.random_500s_max,
        random_408s=args.random_408s or 0,
        random_408s_max=_DEFAULT_MAX if args.random_408s_max is None else args.random_408s_max,
        expected_cookies=args.expected_cookies,
        expected_headers=args.expected_header,
    )
    options = HttpdOptions(
        root=args.root or ".",
        port=args.port or 0,
        daemonize=args.daemonize,
        autoexit=args.autoexit,
        port_file=args.port_file,
        log_file=args.log_file,
        faults=faults,
    )
    try:
        run_httpd(options, out)
    except ConflictError as err:
        raise UsageError(str(err)) from err


def main() -> int:
    """Run ``ostree-trivial-httpd``, the same as a program of its own."""
    from pyostree.cli.main import main as run_program

    sys.argv[1:1] = ["trivial-httpd"]
    return run_program()
