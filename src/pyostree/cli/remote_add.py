"""``ostree remote add NAME URL [BRANCH...]``: configure a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO_OR_SYSROOT
from pyostree.cli.options import UsageError, filename, flag, positional, positionals, text, texts

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = "NAME [metalink=|mirrorlist=]URL [BRANCH...]"
NEEDS = REPO_OR_SYSROOT
OPTIONS = (
    texts("set", metavar="KEY=VALUE", help="Also set this key of the remote", dest="settings"),
    flag("no-gpg-verify", help="Do not check GPG signatures"),
    flag("no-sign-verify", help="Do not check any signatures"),
    texts(
        "sign-verify",
        metavar="KEYTYPE=[inline|file]:PUBKEY",
        help="Check signatures made with this key",
    ),
    flag("if-not-exists", help="Leave an existing remote of that name alone"),
    flag("force", help="Replace an existing remote of that name"),
    filename("gpg-import", metavar="FILE", help="Import the GPG keys in FILE"),
    text("custom-backend", metavar="NAME", help="Content comes from another program"),
    text("contenturl", metavar="URL", help="Where objects are, if not below URL"),
    text("collection-id", metavar="COLLECTION-ID", help="Collection of the remote's refs"),
    positional("name"),
    positional("url"),
    positionals("branches"),
)


class Args(NamedTuple):
    """Values of the options."""

    settings: tuple[str, ...]
    no_gpg_verify: bool
    no_sign_verify: bool
    sign_verify: tuple[str, ...]
    if_not_exists: bool
    force: bool
    gpg_import: str | None
    custom_backend: str | None
    contenturl: str | None
    collection_id: str | None
    name: str | None
    url: str | None
    branches: tuple[str, ...]


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Add the remote."""
    from pyostree.remote.add_remote import IfExists, NewRemote, add_remote, parse_setting
    from pyostree.remote.remotes import Remotes

    if args.custom_backend is not None and args.name is None:
        raise UsageError("NAME must be specified")
    if args.name is None or (args.custom_backend is None and args.url is None):
        raise UsageError("NAME and URL must be specified")
    if args.if_not_exists and args.force:
        raise UsageError("Can only specify one of --if-not-exists and --force")
    if_exists = IfExists.KEEP if args.if_not_exists else IfExists.FAIL
    new = NewRemote(
        args.name,
        args.url,
        args.branches,
        options=tuple(parse_setting(setting) for setting in args.settings),
        gpg_verify=not args.no_gpg_verify,
        no_sign_verify=args.no_sign_verify,
        sign_verify=args.sign_verify,
        custom_backend=args.custom_backend,
        contenturl=args.contenturl,
        collection_id=args.collection_id,
    )
    add_remote(Remotes.load(repo), new, IfExists.REPLACE if args.force else if_exists)
    if args.gpg_import is not None:
        from pyostree.cli.remote_gpg_import import import_files

        import_files(repo, args.name, (args.gpg_import,), out)
