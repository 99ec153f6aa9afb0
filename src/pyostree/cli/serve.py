"""``ostree serve [REPO] [NAME=REPO...]``: serve repositories over HTTP."""

from __future__ import annotations

from typing import NamedTuple, TextIO

from pyostree.cli.needs import NOTHING, default_repo_path
from pyostree.cli.options import UsageError, filename, flag, integer, positionals, text

PARAMETERS = "[REPO] [NAME=REPO...]"
NEEDS = NOTHING
OPTIONS = (
    filename("repo", metavar="PATH", help="Repository to serve at the top, as REPO"),
    text(
        "host",
        metavar="ADDRESS",
        help="Address or name to listen on (default: 127.0.0.1, only this machine; :: is all)",
    ),
    integer("port", "P", metavar="PORT", help="TCP port (default: 8080); 0 is any free one"),
    filename("port-file", "p", metavar="PATH", help="Write the port to PATH (- is stdout)"),
    filename("tls-cert", metavar="PATH", help="Speak HTTPS with the certificate chain in PATH"),
    filename("tls-key", metavar="PATH", help="Private key of the certificate"),
    integer("workers", "j", metavar="N", help="Worker processes (default: one per processor)"),
    filename(
        "access-log", metavar="PATH", help="Append a line for each request to PATH (- is stdout)"
    ),
    integer(
        "grace-period",
        metavar="SECONDS",
        help="Time for running transfers when the server stops (default: 30)",
    ),
    integer(
        "idle-timeout",
        metavar="SECONDS",
        help="Close connections on which nothing happens for so long (default: 75)",
    ),
    integer(
        "max-memory",
        metavar="MIB",
        help="Replace a worker that takes more (default: 1024, less on a small machine)",
    ),
    flag("advertise", help="Announce the repositories on the local network"),
    flag("quiet", "q", help="Do not say what is served where"),
    positionals("places"),
)
EPILOG = """\
Repositories must be archives. REPO is served at the top of the URL, the others below
their names; without any it is the repository of the current directory, or $OSTREE_REPO.
Only what clients ask for when they pull is served: the summary, refs, objects, deltas,
and of the configuration the few keys that a pull looks at.

Signals:
  SIGTERM, SIGINT     Stop when running transfers are finished; a second one: at once
  SIGHUP              Open repositories, certificates and the log anew, while running
                      transfers go on

Examples:
  ostree serve /srv/repo
                      http://127.0.0.1:8080/ for this machine, to try it
  ostree serve --host=:: --port=443 --tls-cert=chain.pem --tls-key=key.pem \\
      os=/srv/os apps=/srv/apps --access-log=/var/log/ostree.log
                      https://HOST/os and https://HOST/apps for everybody

Sockets that systemd has opened are used in place of --host and --port.

"""
_MAX_PORT = 65535


class Args(NamedTuple):
    """Values of the options."""

    repo: str | None
    host: str | None
    port: int | None
    port_file: str | None
    tls_cert: str | None
    tls_key: str | None
    workers: int | None
    access_log: str | None
    grace_period: int | None
    idle_timeout: int | None
    max_memory: int | None
    advertise: bool
    quiet: bool
    places: tuple[str, ...]


def run(args: Args, out: TextIO) -> None:
    """Serve until told to stop."""
    from pyostree.serve.options import (
        DEFAULT_GRACE_S,
        DEFAULT_HOST,
        DEFAULT_IDLE_S,
        DEFAULT_PORT,
        Certificates,
        ServeOptions,
    )
    from pyostree.serve.run import run_server
    from pyostree.serve.sites import Place, parse_place

    _check_numbers(args)
    certificates = None
    if args.tls_cert is not None and args.tls_key is not None:
        certificates = Certificates(args.tls_cert, args.tls_key)
    elif args.tls_cert is not None or args.tls_key is not None:
        raise UsageError("--tls-cert and --tls-key belong together")
    places = [parse_place(place) for place in args.places]
    if args.repo is not None:
        places.insert(0, Place("", args.repo))
    elif not places:
        places.append(Place("", default_repo_path()))
    options = ServeOptions(
        places=tuple(places),
        host=DEFAULT_HOST if args.host is None else args.host,
        port=DEFAULT_PORT if args.port is None else args.port,
        port_file=args.port_file,
        workers=args.workers,
        certificates=certificates,
        access_log=args.access_log,
        grace_s=DEFAULT_GRACE_S if args.grace_period is None else args.grace_period,
        idle_s=DEFAULT_IDLE_S if args.idle_timeout is None else args.idle_timeout,
        max_memory_mib=args.max_memory,
        advertise=args.advertise,
        quiet=args.quiet,
    )
    run_server(options, out)


def _check_numbers(args: Args) -> None:
    if args.port is not None and not 0 <= args.port <= _MAX_PORT:
        raise UsageError("--port must be between 0 and 65535")
    if args.workers is not None and args.workers < 1:
        raise UsageError("--workers must be at least 1")
    if args.grace_period is not None and args.grace_period < 0:
        raise UsageError("--grace-period must not be negative")
    if args.idle_timeout is not None and args.idle_timeout < 1:
        raise UsageError("--idle-timeout must be at least 1")
    if args.max_memory is not None and args.max_memory < 1:
        raise UsageError("--max-memory must be at least 1")
