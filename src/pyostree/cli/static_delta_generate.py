"""``ostree static-delta generate [TO]``: make a static delta."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import filename, flag, positional, text, texts
from pyostree.errors import ConflictError, NotFoundError, UnsupportedError

if TYPE_CHECKING:
    from pyostree.delta.options import GenerateOptions
    from pyostree.delta.signatures import DeltaSigners
    from pyostree.repo.repo import Repo

_MB = 1_000_000
_U32 = (1 << 32) - 1

PARAMETERS = "[TO]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    text("from", metavar="REV", dest="from_", help="Start from REV; default: the parent of TO"),
    flag("empty", help="Start from nothing"),
    flag("inline", help="Put the parts into the superblock"),
    text("to", metavar="REV", help="Lead to REV"),
    flag("disable-bsdiff", help="Do not store changed files as patches"),
    flag("if-not-exists", "n", help="Do nothing when the delta exists"),
    text("set-endianness", metavar="ENDIAN", help="Write sizes in this byte order (l or B)"),
    flag("swap-endianness", help="Write sizes in the other byte order"),
    text("min-fallback-size", metavar="MB", help="Leave larger files to be fetched; 0: none"),
    text("max-bsdiff-size", metavar="MB", help="Do not make patches of larger files"),
    text("max-chunk-size", metavar="MB", help="Limit for the parts before compression"),
    filename("filename", metavar="PATH", help="Write the superblock to PATH, the parts beside it"),
    texts("sign", metavar="KEY", help="Sign with KEY"),
    text("sign-type", metavar="NAME", help="Kind of the signature"),
    filename("keys-file", metavar="NAME", help="Sign with the keys in this file"),
    positional("target"),
)


class Args(NamedTuple):
    """What was given on the command line."""

    from_: str | None
    empty: bool
    inline: bool
    to: str | None
    disable_bsdiff: bool
    if_not_exists: bool
    set_endianness: str | None
    swap_endianness: bool
    min_fallback_size: str | None
    max_bsdiff_size: str | None
    max_chunk_size: str | None
    filename: str | None
    sign: tuple[str, ...]
    sign_type: str | None
    keys_file: str | None
    target: str | None


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Run the command."""
    from pyostree.delta.generate import delta_exists, generate, resolve_delta

    target = args.to or args.target
    if target is None:
        raise NotFoundError("TO revision must be specified")
    if args.empty and args.from_ is not None:
        raise ConflictError("Cannot specify both --empty and --from=REV")
    name = resolve_delta(repo, target, args.from_, is_empty=args.empty)
    if args.if_not_exists and delta_exists(repo, name):
        print(f"Delta {name} already exists.", file=out)
        return
    options = _options(args)
    if args.sign or args.keys_file is not None:
        options = options._replace(signers=_signers(args))
    print("Generating static delta:", file=out)
    print(f"  From: {name.source or 'empty'}", file=out)
    print(f"  To:   {name.target}", file=out)
    if args.sign_type == "":
        raise UnsupportedError("Invalid 'sign-name' parameter")
    generate(repo, name, options, timestamp=int(time.time()), log=_log)


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _options(args: Args) -> GenerateOptions:
    from pyostree.delta.options import GenerateOptions

    options = GenerateOptions(
        bsdiff=not args.disable_bsdiff,
        inline=args.inline,
        byteorder=_byteorder(args),
        path=args.filename,
    )
    if args.min_fallback_size is not None:
        options = options._replace(min_fallback_bytes=_megabytes(args.min_fallback_size))
    if args.max_bsdiff_size is not None:
        options = options._replace(max_bsdiff_bytes=_megabytes(args.max_bsdiff_size))
    if args.max_chunk_size is not None:
        options = options._replace(max_chunk_bytes=_megabytes(args.max_chunk_size))
    return options


def _signers(args: Args) -> DeltaSigners:
    from pyostree.delta.signatures import DeltaSigners, read_secret_texts
    from pyostree.sign.engine import DEFAULT_ENGINE

    of_file = () if args.keys_file is None else read_secret_texts(args.keys_file)
    return DeltaSigners(args.sign_type or DEFAULT_ENGINE, (*args.sign, *of_file))


def _byteorder(args: Args) -> Literal["little", "big"]:
    marks: dict[str, Literal["little", "big"]] = {"l": "little", "B": "big"}
    mark = args.set_endianness
    if mark is not None and mark not in marks:
        raise NotFoundError(f"Invalid endianness '{mark}'")
    order = sys.byteorder if mark is None else marks[mark]
    if not args.swap_endianness:
        return order
    return "big" if order == "little" else "little"


def _megabytes(number: str) -> int:
    """Read a number as the reference does: what follows it is ignored, no number is 0."""
    found = re.match(r"\s*\+?(\d+)", number)
    return (int(found[1]) & _U32 if found else 0) * _MB
