"""The table of commands: adding one is adding a line here and its module.

Descriptions stand here, so that a listing imports no command module. Entries are listed in this
order.
"""

from __future__ import annotations

from collections.abc import Sequence


class Command:
    """A command; `module` is its module's name inside this package."""

    __slots__ = ("description", "hidden", "module", "name")

    def __init__(self, name: str, module: str, description: str, *, hidden: bool = False) -> None:
        self.name = name
        self.module = module
        self.description = description
        self.hidden = hidden


class Group:
    """Commands that share a first word.

    Args:
        name: that word; empty for the whole program.
        description: one line for the listing and the usage text.
        parameters: what the usage line says about arguments.
        width: columns of a command's name in the listing.
        entries: in the order of the listing.
    """

    __slots__ = ("description", "entries", "hidden", "name", "parameters", "width")

    is_admin = False
    is_handmade = False

    def __init__(
        self,
        name: str,
        description: str,
        *,
        parameters: str = "COMMAND",
        width: int = 18,
        hidden: bool = False,
        entries: Sequence[Command | Group],
    ) -> None:
        self.name = name
        self.description = description
        self.parameters = parameters
        self.width = width
        self.hidden = hidden
        self.entries = entries

    def find(self, name: str) -> Command | Group | None:
        """Return the entry called `name`, hidden ones too."""
        return next((entry for entry in self.entries if entry.name == name), None)


class AdminGroup(Group):
    """Commands that work on a sysroot, and so have other common options."""

    __slots__ = ()
    is_admin = True


class HandmadeGroup(Group):
    """``static-delta``, which has a shorter usage text and itself knows only ``--help``."""

    __slots__ = ()
    is_handmade = True


_ADMIN = AdminGroup(
    "admin",
    "Manage deployments on a host or a device's disk",
    parameters="--print-current-dir|COMMAND",
    width=25,
    entries=(
        Command("cleanup", "admin_cleanup", "Remove what no deployment uses any more"),
        Command("deploy", "admin_deploy", "Make a revision the default deployment"),
        Command("init-fs", "admin_init_fs", "Prepare an empty root file system"),
        Command("os-init", "admin_os_init", "Create a stateroot"),
        Command("stateroot-init", "admin_os_init", "Create a stateroot"),
        Command("pin", "admin_pin", "Keep a deployment until it is unpinned"),
        Command("set-origin", "admin_set_origin", "Change the remote and branch of a deployment"),
        Command("status", "admin_status", "List the deployments"),
        Command("switch", "admin_switch", "Follow another branch, and deploy it"),
        Command("undeploy", "admin_undeploy", "Remove a deployment"),
        Command("upgrade", "admin_upgrade", "Deploy the newest commit of the current branch"),
    ),
)

_REMOTE = Group(
    "remote",
    "Configure remotes and ask them what they have",
    entries=(
        Command("add", "remote_add", "Configure a new remote"),
        Command("delete", "remote_delete", "Remove a remote's configuration"),
        Command("show-url", "remote_show_url", "Print the URL of a remote"),
        Command("list", "remote_list", "List the configured remotes"),
        Command("gpg-import", "remote_gpg_import", "Trust GPG keys for a remote"),
        Command("gpg-list-keys", "remote_gpg_list_keys", "List the GPG keys that are trusted"),
        Command("refs", "remote_refs", "List the refs that a remote offers"),
        Command("add-cookie", "remote_add_cookie", "Send a cookie to a remote from now on"),
        Command("delete-cookie", "remote_delete_cookie", "Stop sending a cookie to a remote"),
        Command("list-cookies", "remote_list_cookies", "List the cookies sent to a remote"),
        Command("summary", "remote_summary", "Show the summary that a remote publishes"),
    ),
)

_STATIC_DELTA = HandmadeGroup(
    "static-delta",
    "Make and manage static deltas",
    entries=(
        Command("list", "static_delta_list", "List static delta files"),
        Command("show", "static_delta_show", "Dump information on a delta"),
        Command("delete", "static_delta_delete", "Remove a delta"),
        Command("generate", "static_delta_generate", "Generate static delta files"),
        Command("apply-offline", "static_delta_apply_offline", "Apply static delta file"),
        Command("verify", "static_delta_verify", "Verify static delta signatures"),
        Command("indexes", "static_delta_indexes", "List static delta indexes"),
        Command("reindex", "static_delta_reindex", "Regenerate static delta indexes"),
    ),
)

TOP = Group(
    "",
    "",
    entries=(
        _ADMIN,
        Command("cat", "cat", "Write files of a commit to standard output"),
        Command("checkout", "checkout", "Write a commit's tree into a directory"),
        Command("checksum", "checksum", "Print the checksum of a file or directory"),
        Command("commit", "commit", "Store a new commit"),
        Command("config", "config", "Read or change the repository's configuration"),
        Command("diff", "diff", "List what differs between two revisions or directories"),
        Command("export", "export", "Write a commit as a tar archive"),
        Command("find-remotes", "find_remotes", "Find repositories that have refs, and pull them"),
        Command("create-usb", "create_usb", "Copy refs to a stick, for other machines to pull"),
        Command("fsck", "fsck", "Verify that the repository is intact"),
        Command("gpg-sign", "gpg_sign", "Sign a commit with a GPG key, or remove signatures"),
        Command("init", "init", "Create an empty repository"),
        Command("log", "log", "Show the history of a revision"),
        Command("ls", "ls", "List the files of a commit"),
        Command("prune", "prune", "Remove objects that nothing refers to"),
        Command("pull-local", "pull_local", "Copy commits from another local repository"),
        Command("pull", "pull", "Download commits from a remote"),
        Command("refs", "refs", "List, create or delete refs"),
        _REMOTE,
        Command("reset", "reset", "Point a ref to an earlier commit of its history"),
        Command("rev-parse", "rev_parse", "Print the checksum that a revision names"),
        Command("serve", "serve", "Serve repositories over HTTP, for production use"),
        Command("sign", "sign", "Sign a commit with a key, or verify its signatures"),
        Command("show", "show", "Show a commit or another metadata object"),
        _STATIC_DELTA,
        Command("summary", "summary", "Show or regenerate the summary"),
        Command("trivial-httpd", "trivial_httpd", "Serve a directory over HTTP", hidden=True),
    ),
)
