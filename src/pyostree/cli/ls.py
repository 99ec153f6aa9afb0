"""``ostree ls COMMIT [PATH...]``: list the files of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag, positional, positionals

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo
    from pyostree.repo.tree import CommitTree, TreeEntry

PARAMETERS = "COMMIT [PATH...]"
NEEDS = REPO
OPTIONS = (
    flag("dironly", "d", help="Do not list what directories contain"),
    flag("recursive", "R", help="List all below"),
    flag("checksum", "C", help="Print checksums"),
    flag("xattrs", "X", help="Print extended attributes"),
    flag("nul-filenames-only", help="Print only names, each followed by a NUL"),
    positional("commit", missing="An COMMIT argument is required"),
    positionals("paths"),
)


class Args(NamedTuple):
    dironly: bool
    recursive: bool
    checksum: bool
    xattrs: bool
    nul_filenames_only: bool
    commit: str
    paths: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """List each path."""
    from pyostree.errors import doing
    from pyostree.repo.tree import CommitTree

    tree = CommitTree(repo, repo.resolve(args.commit))
    for path in args.paths or ("/",):
        with doing(f"Inspecting path '{path}'"):
            top = tree.look_up(path)
        if args.nul_filenames_only:
            _print_names(args, tree, top, out)
        else:
            _print_lines(args, repo, (tree, top), out)


def _print_names(args: Args, tree: CommitTree, top: TreeEntry, out: TextIO) -> None:
    is_flat = not args.recursive
    entries = tree.walk(top, enter=lambda entry: entry is top and not args.dironly)
    out.flush()
    for entry in entries if is_flat else tree.walk(top):
        out.buffer.write(entry.path.encode() + b"\0")


def _print_lines(args: Args, repo: Repo, what: tuple[CommitTree, TreeEntry], out: TextIO) -> None:
    from pyostree.cli.tree_text import TreePrinter
    from pyostree.repo.tree import TreeDir, TreeFile

    tree, top = what
    printer = TreePrinter(repo, with_checksums=args.checksum, with_xattrs=args.xattrs)
    if isinstance(top, TreeFile):
        lead, _, name = top.path.rpartition("/")
        out.writelines(printer.file_lines(f"{lead}/", [(name, top.checksum)]))
    elif args.recursive:
        from pyostree.cli.tree_writer import TreeWriter

        TreeWriter(repo, printer, out).write(tree, top)
    elif args.dironly:
        out.write(printer.dir_line(top))
    else:
        content = repo.load_dirtree(top.tree)
        out.writelines(printer.lines([(top, content)]))
        lead = top.path.rstrip("/") + "/"
        for name, tree_sum, meta in content.dirs:
            out.write(printer.dir_line(TreeDir(lead + name, tree_sum, meta)))
