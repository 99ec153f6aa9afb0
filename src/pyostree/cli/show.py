"""``ostree show OBJECT``: print a commit, another object, or parts of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.commit_text import write_commit, write_raw_commit, write_variant
from pyostree.cli.needs import REPO
from pyostree.cli.options import filename, flag, positional, text
from pyostree.errors import NotFoundError, doing

if TYPE_CHECKING:
    from pyostree.formats.gvariant import Variant
    from pyostree.formats.objects import Checksum, ObjectName
    from pyostree.repo.repo import Repo

PARAMETERS = "OBJECT"
NEEDS = REPO
OPTIONS = (
    flag("print-related", help="Print the names and checksums of related objects"),
    text("print-variant-type", metavar="TYPE", help="Print the file OBJECT as GVariant of TYPE"),
    flag("list-metadata-keys", help="List the keys of the commit's metadata"),
    text("print-metadata-key", metavar="KEY", help="Print one value of the commit's metadata"),
    flag("print-hex", help="Print byte arrays as hex digits"),
    flag("list-detached-metadata-keys", help="List the keys of the detached metadata"),
    text("print-detached-metadata-key", metavar="KEY", help="Print one value of that"),
    flag("print-sizes", help="Print how large the commit is, and how much of it is missing here"),
    flag("raw", help="Print the object as GVariant text"),
    flag("no-byteswap", "B", help="Print numbers as they are stored"),
    filename("gpg-homedir", metavar="HOMEDIR", help="Directory with GPG keyrings"),
    text("gpg-verify-remote", metavar="REMOTE", help="Verify signatures with a remote's keys"),
    positional("object", missing="An object argument is required"),
)


class Args(NamedTuple):
    print_related: bool
    print_variant_type: str | None
    list_metadata_keys: bool
    print_metadata_key: str | None
    print_hex: bool
    list_detached_metadata_keys: bool
    print_detached_metadata_key: str | None
    print_sizes: bool
    raw: bool
    no_byteswap: bool
    gpg_homedir: str | None
    gpg_verify_remote: str | None
    object: str


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Print what the options ask for, by default the object itself."""
    if args.print_detached_metadata_key is not None:
        _print_value(args, _detached(args, repo), args.print_detached_metadata_key, out)
    elif args.print_metadata_key is not None:
        _print_value(args, _metadata(args, repo), args.print_metadata_key, out)
    elif args.list_detached_metadata_keys:
        _list_keys(_detached(args, repo), out)
    elif args.list_metadata_keys:
        _list_keys(_metadata(args, repo), out)
    elif args.print_related:
        for name, checksum in repo.load_commit(repo.resolve(args.object)).related:
            out.write(f"{name} {checksum.hex()}\n")
    elif args.print_variant_type is not None:
        _print_file(args, args.print_variant_type, out)
    elif args.print_sizes:
        _print_sizes(args, repo, out)
    else:
        _print_object(args, repo, out)


def _metadata(args: Args, repo: Repo) -> tuple[tuple[str, Variant], ...]:
    from pyostree.formats.commit import COMMIT_TYPE
    from pyostree.formats.gvariant import decode
    from pyostree.formats.objects import ObjectName, ObjectType

    name = ObjectName(repo.resolve(args.object), ObjectType.COMMIT)
    data = repo.store.read_metadata(name)
    commit = decode(COMMIT_TYPE, data, byteorder="little" if args.no_byteswap else "big")
    metadata: tuple[tuple[str, Variant], ...] = commit[0]
    return metadata


def _detached(args: Args, repo: Repo) -> tuple[tuple[str, Variant], ...]:
    from pyostree.formats.commit import METADATA_TYPE
    from pyostree.formats.gvariant import decode

    checksum = repo.resolve(args.object)
    data = repo.store.read_detached(checksum)
    if data is None:
        raise NotFoundError(f"No detached metadata for commit {checksum}")
    with doing(f"Detached metadata of commit {checksum}"):
        metadata: tuple[tuple[str, Variant], ...] = decode(
            METADATA_TYPE, data, byteorder="little" if args.no_byteswap else "big"
        )
    return metadata


def _print_value(
    args: Args, metadata: tuple[tuple[str, Variant], ...], key: str, out: TextIO
) -> None:
    from pyostree.formats.gvariant import format_text, lookup

    found = lookup(metadata, key)
    if found is None:
        raise NotFoundError(f"No such metadata key '{key}'")
    is_hex = args.print_hex and found.type == "ay"
    out.write(f"{found.value.hex() if is_hex else format_text(found.type, found.value)}\n")


def _list_keys(metadata: tuple[tuple[str, Variant], ...], out: TextIO) -> None:
    for key in sorted(key for key, _ in metadata):
        out.write(f"{key}\n")


def _print_file(args: Args, type_text: str, out: TextIO) -> None:
    from pyostree.formats.gvariant import check_type_string
    from pyostree.fs.dir import Dir

    check_type_string(type_text)
    base = "/" if args.object.startswith("/") else "."
    with Dir.at(base) as directory:
        data = directory.read_file(args.object)
    write_variant(out, type_text, data)


def _print_sizes(args: Args, repo: Repo, out: TextIO) -> None:
    from pyostree.formats.sizes import format_size
    from pyostree.repo.commit_sizes import read_commit_sizes

    checksum = repo.resolve(args.object)
    with doing("Failed to read commit"):
        repo.load_commit(checksum)
    needed, total = read_commit_sizes(repo, checksum)
    for label, part, whole in (
        ("Compressed", needed.archived, total.archived),
        ("Unpacked", needed.unpacked, total.unpacked),
    ):
        out.write(f"{label} size (needed/total): {format_size(part)}/{format_size(whole)}\n")
    out.write(f"Number of objects (needed/total): {needed.objects}/{total.objects}\n")


def _print_object(args: Args, repo: Repo, out: TextIO) -> None:
    from pyostree.formats.objects import ObjectName, ObjectType, is_checksum, parse_checksum

    if not is_checksum(args.object):
        _print_commit(args, repo, repo.resolve(args.object), out)
        return
    checksum = parse_checksum(args.object)
    if repo.store.has(ObjectName(checksum, ObjectType.COMMIT)):
        _print_commit(args, repo, checksum, out)
        return
    for kind, type_text in (
        (ObjectType.DIRMETA, "(uuua(ayay))"),
        (ObjectType.DIRTREE, "(a(say)a(sayay))"),
    ):
        name = ObjectName(checksum, kind)
        if repo.store.has(name):
            _print_metadata(args, repo, (name, type_text), out)
            return
    _print_content(repo, checksum, out)


def _print_commit(args: Args, repo: Repo, checksum: Checksum, out: TextIO) -> None:
    commit = repo.load_commit(checksum)
    if args.no_byteswap:
        write_raw_commit(out, repo, checksum, swap=False)
        write_commit(out, checksum, commit, with_checksum=False)
    elif args.raw:
        write_raw_commit(out, repo, checksum)
    else:
        write_commit(out, checksum, commit)
    _print_signatures(args, repo, checksum, out)


def _print_signatures(args: Args, repo: Repo, checksum: Checksum, out: TextIO) -> None:
    from pyostree.sign.gpg.commits import is_gpg_signed, open_verifier, verify_commit

    with doing("Failed to read detached metadata"):
        is_signed = is_gpg_signed(repo, checksum)
    if not is_signed:
        return
    from pyostree.cli.signature_text import write_signatures
    from pyostree.remote.keyrings import open_remote_verifier
    from pyostree.remote.remotes import Remotes

    if args.gpg_verify_remote is None:
        verifier = open_verifier(repo, args.gpg_homedir)
    else:
        verifier = open_remote_verifier(Remotes.load(repo), args.gpg_verify_remote)
    with verifier:
        write_signatures(out, "Found {}", verify_commit(repo, checksum, verifier))


def _print_metadata(args: Args, repo: Repo, what: tuple[ObjectName, str], out: TextIO) -> None:
    name, type_text = what
    data = repo.store.read_metadata(name)
    out.write(f"{name.type.extension} {name.checksum}\n")
    if args.raw or args.no_byteswap:
        write_variant(out, type_text, data, swap=not args.no_byteswap)


def _print_content(repo: Repo, checksum: Checksum, out: TextIO) -> None:
    from pyostree.cli.tree_text import format_xattrs

    header, size = repo.store.read_header(checksum)
    out.write(f"Object: {checksum}\nType: file\n")
    if header.is_symlink:
        out.write(f"File Type: symlink\nTarget: {header.target}\n")
    else:
        out.write(f"File Type: regular\nSize: {size}\n")
    out.write(f"Mode: 0{header.mode:04o}\nUid: {header.uid}\nGid: {header.gid}\n")
    out.write(f"Extended Attributes: {{ {format_xattrs(header.xattrs)} }}\n")
