"""``ostree commit [PATH]``: store a tree as a commit and point a branch at it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_WRITABLE
from pyostree.cli.options import boolean, filename, flag, integer, positional, text, texts

if TYPE_CHECKING:
    from pyostree.formats.commit_message import CommitMessage
    from pyostree.repo.commit import CommitResult
    from pyostree.repo.commit_metadata import Signer
    from pyostree.repo.commit_request import CommitRequest
    from pyostree.repo.modifier import CommitModifier
    from pyostree.repo.repo import Repo

PARAMETERS = "[PATH]"
NEEDS = REPO_WRITABLE
OPTIONS = (
    text("parent", metavar="COMMIT", help="Parent commit checksum, or 'none'"),
    text("subject", "s", metavar="SUBJECT", help="One line that says what changed"),
    text("body", "m", metavar="BODY", help="Full description"),
    filename("body-file", "F", metavar="FILE", help="Take the description from FILE"),
    flag("editor", "e", help="Write the message in an editor"),
    text("branch", "b", metavar="BRANCH", help="Branch to update"),
    flag("orphan", help="Commit without a branch"),
    flag("no-bindings", help="Do not record the branch in the commit"),
    texts("bind-ref", metavar="BRANCH", help="Record another branch in the commit"),
    text("base", metavar="REV", help="Start from the tree of this commit, unmodified"),
    texts(
        "tree",
        metavar="dir=PATH or tar=FILE or ref=REV",
        help="Overlay this tree; may be repeated",
    ),
    texts("add-metadata-string", metavar="KEY=VALUE", help="Add a string to the metadata"),
    texts("add-metadata", metavar="KEY=VALUE", help="Add a value in GVariant text format"),
    texts("keep-metadata", metavar="KEY", help="Copy a key from the parent's metadata"),
    texts("add-detached-metadata-string", metavar="KEY=VALUE", help="Add detached metadata"),
    integer("owner-uid", metavar="UID", help="Set the owner of everything"),
    integer("owner-gid", metavar="GID", help="Set the group of everything"),
    flag("canonical-permissions", help="Owner root, mode bits 0755 at most, no xattrs"),
    flag("bootable", help="Mark the commit as bootable and record its kernel version"),
    flag("mode-ro-executables", help="Clear the write bits of executable files"),
    flag("no-xattrs", help="Leave out extended attributes"),
    filename(
        "selinux-policy", metavar="PATH", help="Label files by the policy of a root file system"
    ),
    flag("selinux-policy-from-base", "P", help="Label by the policy of --base or the first tree"),
    integer("selinux-labeling-epoch", help="1 labels /usr/etc as /etc"),
    flag("link-checkout-speedup", help="Recognise files hard linked from the repository"),
    flag("devino-canonical", "I", help="Trust such files to be unmodified"),
    flag("tar-autocreate-parents", help="Make directories that an archive lacks"),
    text("tar-pathname-filter", metavar="REGEX,REPLACEMENT", help="Rename members of archives"),
    flag("skip-if-unchanged", help="Commit nothing when the tree equals the parent's"),
    filename("statoverride", metavar="PATH", help="File of mode changes to make"),
    filename("skip-list", metavar="PATH", help="File of paths to leave out"),
    flag("consume", help="Delete what is read from directories"),
    flag("table-output", help="Print statistics besides the checksum"),
    texts("gpg-sign", metavar="KEY-ID", help="Sign the commit with this GPG key"),
    filename("gpg-homedir", metavar="HOMEDIR", help="Where GPG looks for keys"),
    texts("sign", metavar="KEY_ID", help="Sign the commit with this secret key"),
    texts("sign-from-file", metavar="PATH", help="Sign the commit with a key in this file"),
    text("sign-type", metavar="NAME", help="How to sign with such keys (default: ed25519)"),
    flag("generate-sizes", help="List the sizes of all objects in the commit"),
    flag("generate-composefs-metadata", help="Add the digest of the tree's composefs image"),
    flag("disable-fsync", hidden=True, help="Do not sync"),
    boolean("fsync", metavar="POLICY", help="Whether to sync data to the disk"),
    text("timestamp", metavar="TIMESTAMP", help="Date of the commit"),
    positional("path"),
)


class Args(NamedTuple):
    parent: str | None
    subject: str | None
    body: str | None
    body_file: str | None
    editor: bool
    branch: str | None
    orphan: bool
    no_bindings: bool
    bind_ref: tuple[str, ...]
    base: str | None
    tree: tuple[str, ...]
    add_metadata_string: tuple[str, ...]
    add_metadata: tuple[str, ...]
    keep_metadata: tuple[str, ...]
    add_detached_metadata_string: tuple[str, ...]
    owner_uid: int | None
    owner_gid: int | None
    canonical_permissions: bool
    bootable: bool
    mode_ro_executables: bool
    no_xattrs: bool
    selinux_policy: str | None
    selinux_policy_from_base: bool
    selinux_labeling_epoch: int | None
    link_checkout_speedup: bool
    devino_canonical: bool
    tar_autocreate_parents: bool
    tar_pathname_filter: str | None
    skip_if_unchanged: bool
    statoverride: str | None
    skip_list: str | None
    consume: bool
    table_output: bool
    disable_fsync: bool
    fsync: bool | None
    timestamp: str | None
    gpg_sign: tuple[str, ...]
    gpg_homedir: str | None
    sign: tuple[str, ...]
    sign_from_file: tuple[str, ...]
    sign_type: str | None
    generate_sizes: bool
    generate_composefs_metadata: bool
    path: str | None


def run(args: Args, repo: Repo, out: TextIO) -> None:
    from pyostree.cli.progress import shown_progress
    from pyostree.progress import watch_with
    from pyostree.repo.commit import commit
    from pyostree.repo.modifier import UnmatchedPathsError

    request = _request(args, repo)
    if args.disable_fsync or args.fsync is False:
        repo.disable_fsync()
    try:
        with shown_progress() as show:
            result = commit(repo, request, watch_with(show))
    except UnmatchedPathsError as err:
        sys.stderr.write("".join(f"{line}\n" for line in err.lines))
        raise
    _print_result(result, out, table=args.table_output)


def _request(args: Args, repo: Repo) -> CommitRequest:
    from pyostree.repo.commit_metadata import MetadataArguments
    from pyostree.repo.commit_request import CommitRequest, TreeSource

    return CommitRequest(
        branch=args.branch,
        trees=args.tree or (TreeSource("dir", args.path or "."),),
        modifier=_modifier(args, repo),
        orphan=args.orphan,
        parent=args.parent,
        base=args.base,
        compose=lambda: _message(args),
        arguments=MetadataArguments(
            args.add_metadata_string, args.add_metadata, args.add_detached_metadata_string
        ),
        keep_metadata=args.keep_metadata,
        bindings=not args.no_bindings,
        bind_refs=args.bind_ref,
        bootable=args.bootable,
        composefs=args.generate_composefs_metadata,
        clock=lambda: _timestamp(args.timestamp),
        skip_if_unchanged=args.skip_if_unchanged,
        link_speedup=args.link_checkout_speedup,
        devino_canonical=args.devino_canonical,
        consume=args.consume,
        generate_sizes=args.generate_sizes,
        tar_autocreate_parents=args.tar_autocreate_parents,
        tar_pathname_filter=args.tar_pathname_filter,
        signers=_signers(args),
    )


def _modifier(args: Args, repo: Repo) -> CommitModifier:
    from pyostree.repo.commit_labels import CommitLabels
    from pyostree.repo.commit_modifier import make_modifier

    return make_modifier(
        repo,
        statoverride_path=args.statoverride,
        skip_list_path=args.skip_list,
        owner_uid=args.owner_uid,
        owner_gid=args.owner_gid,
        read_only_executables=args.mode_ro_executables,
        canonical=args.canonical_permissions,
        skip_xattrs=args.no_xattrs,
        labels=CommitLabels(
            policy_path=args.selinux_policy,
            from_base=args.selinux_policy_from_base,
            epoch=args.selinux_labeling_epoch or 0,
            can_hold=repo.stores_xattrs,
        ),
    )


def _message(args: Args) -> CommitMessage:
    from pyostree.formats.commit_message import CommitMessage

    if args.editor:
        from pyostree.cli.editor import edit_message

        return edit_message(args.branch, args.subject)
    if args.body_file is None:
        return CommitMessage(args.subject or "", args.body or "")
    from pyostree.repo.text_file import read_text_file

    return CommitMessage(args.subject or "", read_text_file(args.body_file))


def _timestamp(date: str | None) -> int:
    if date is not None:
        from pyostree.formats.dates import parse_date

        return parse_date(date, time.time())
    from pyostree.formats.epoch import parse_source_date_epoch

    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return int(time.time()) if epoch is None else parse_source_date_epoch(epoch)


def _signers(args: Args) -> tuple[Signer, ...]:
    if not (args.sign or args.sign_from_file or args.gpg_sign):
        return ()
    from pyostree.sign.signing_order import commit_signers, named_signers

    by_engine = named_signers(args.sign, args.sign_from_file, args.sign_type, of_commits=True)
    return commit_signers(by_engine, args.gpg_sign, args.gpg_homedir)


def _print_result(result: CommitResult, out: TextIO, *, table: bool) -> None:
    if not table:
        print(result.checksum, file=out)
        return
    stats = result.stats
    print(f"Commit: {result.checksum}", file=out)
    print(f"Metadata Total: {stats.metadata_objects_total}", file=out)
    print(f"Metadata Written: {stats.metadata_objects_written}", file=out)
    print(f"Content Total: {stats.content_objects_total}", file=out)
    print(f"Content Written: {stats.content_objects_written}", file=out)
    print(f"Content Cache Hits: {stats.devino_cache_hits}", file=out)
    print(f"Content Bytes Written: {stats.content_bytes_written}", file=out)
