"""``ostree summary``: publish the index of refs, or print it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, text, texts
from pyostree.errors import OstreeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyostree.repo.commit_metadata import Signer
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO
OPTIONS = (
    flag("update", "u", help="Publish a new summary"),
    flag("view", "v", help="Print the published summary"),
    flag("raw", help="Print it as a variant"),
    flag("list-metadata-keys", help="Print the keys of its metadata"),
    text("print-metadata-key", metavar="KEY", help="Print one value of its metadata"),
    texts("gpg-sign", metavar="KEY-ID", help="Sign it with this GPG key"),
    text("gpg-homedir", metavar="HOMEDIR", help="Where GPG looks for keys"),
    texts("sign", metavar="KEY-ID", help="Sign it with this secret key"),
    texts("sign-from-file", metavar="PATH", help="Sign it with a key in this file"),
    text("sign-type", metavar="NAME", help="Kind of the secret keys; default: ed25519"),
    texts("add-metadata", "m", metavar="KEY=VALUE", help="Put a key into its metadata"),
)


class Args(NamedTuple):
    """Values of the options."""

    update: bool
    view: bool
    raw: bool
    list_metadata_keys: bool
    print_metadata_key: str | None
    gpg_sign: tuple[str, ...]
    gpg_homedir: str | None
    sign: tuple[str, ...]
    sign_from_file: tuple[str, ...]
    sign_type: str | None
    add_metadata: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Do the first of update, view, list and print that was asked for."""
    summary, commit = _signers(args)  # whatever is to be done, the engine must exist
    if args.update:
        repo.check_writable()
        _update(args, repo, summary, commit)
        return
    from pyostree.cli.summary_view import SummaryView
    from pyostree.repo.summary import read_summary, read_summary_signature

    is_whole = args.view or args.raw
    keys = (False, None) if is_whole else (args.list_metadata_keys, args.print_metadata_key)
    view = SummaryView(args.raw, *keys)
    if not is_whole and view.is_default:
        raise OstreeError("No option specified; use -u to update summary")
    data = read_summary(repo)
    # Before anything is printed: what follows is about the same pair of files.
    signature = read_summary_signature(repo) if view.is_default else None
    view.show(data, out)
    if view.is_default:
        _print_signatures(args, data, signature, out)


def _print_signatures(args: Args, data: bytes, signature: bytes | None, out: TextIO) -> None:
    if signature is None:
        print("Summary is unsigned", file=out)
        return
    from pyostree.cli.signature_text import write_signatures
    from pyostree.sign.summaries import verify_summary

    found = verify_summary(data, signature, args.gpg_homedir)
    if found is not None:
        write_signatures(out, "\nFound {} on the summary", found)


def _update(
    args: Args, repo: Repo, signers: Sequence[Signer], commit_signers: Sequence[Signer]
) -> None:
    from pyostree.formats.epoch import parse_source_date_epoch
    from pyostree.repo.summary import parse_summary_metadata, update_summary

    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    update_summary(
        repo,
        metadata=parse_summary_metadata(args.add_metadata),
        timestamp=None if epoch is None else parse_source_date_epoch(epoch),
        signers=signers,
        commit_signers=commit_signers,
    )


def _signers(args: Args) -> tuple[tuple[Signer, ...], tuple[Signer, ...]]:
    if not (args.gpg_sign or args.sign or args.sign_from_file):
        return (), ()
    from pyostree.sign.engine import find_engine
    from pyostree.sign.signing_order import named_signers, summary_signers

    by_engine = named_signers(args.sign, args.sign_from_file, args.sign_type)
    if by_engine and args.sign_type is not None:
        find_engine(args.sign_type)
    return summary_signers(by_engine, args.gpg_sign, args.gpg_homedir)
