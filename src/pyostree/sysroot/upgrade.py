"""Upgrading: pull what a deployment's origin names, and deploy it."""

from __future__ import annotations

from pyostree.errors import ConflictError, DeploymentError
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.refspec import Refspec, parse_refspec
from pyostree.pull.from_remote import pull
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.site import Report
from pyostree.pull.timestamps import check_not_older
from pyostree.sysroot.deploy import DeployRequest, deploy_tree
from pyostree.sysroot.deploy_rev import check_can_stage
from pyostree.sysroot.deployment import Deployment, new_origin
from pyostree.sysroot.query import find_merge_deployment
from pyostree.sysroot.retain import add_deployment
from pyostree.sysroot.sysroot import Sysroot

_REBASE = "ostree.endoflife-rebase"


class Upgrader:
    """Brings one stateroot to the newest commit of what it follows.

    Args:
        stateroot: None for the booted one.
        ignore_unconfigured: go on where the origin says that the system is not set up for
            upgrades.

    Attributes:
        merge: the deployment that the new one continues.
        origin: what the new one will follow; `set_origin` replaces it.

    Raises:
        DeploymentError: there is no such deployment, or it follows nothing.
    """

    def __init__(
        self, sysroot: Sysroot, stateroot: str | None, *, ignore_unconfigured: bool = False
    ) -> None:
        self._sysroot = sysroot
        self._repo = sysroot.repo
        self._stateroot = _choose_stateroot(sysroot, stateroot)
        self._ignore_unconfigured = ignore_unconfigured
        merge = find_merge_deployment(sysroot, self._stateroot)
        if merge is None:
            raise DeploymentError(f"No previous deployment for OS '{self._stateroot}'")
        if merge.origin is None:
            raise DeploymentError(f"No origin known for deployment {merge.name}")
        self.merge: Deployment = merge
        self.set_origin(merge.origin)

    def set_origin(self, origin: KeyFile) -> None:
        """Follow `origin` from now on.

        Raises:
            OstreeError: it names nothing to upgrade from.
        """
        if not self._ignore_unconfigured:
            state = origin.get_string("origin", "unconfigured-state")
            if state is not None:
                raise DeploymentError(f"origin unconfigured-state: {state}")
        text = origin.get_string("origin", "refspec")
        if text is None:
            raise DeploymentError(
                "No origin/refspec in current deployment origin; cannot upgrade via ostree"
            )
        override = origin.get_string("origin", "override-commit")
        self.refspec: Refspec = parse_refspec(text)
        self._override = None if override is None else parse_checksum(override)
        self.origin = origin.copy()
        self._revision: Checksum | None = None

    def pull(
        self, *, allow_older: bool = False, fetch: bool = True, report: Report | None = None
    ) -> bool:
        """Find the commit to deploy.

        Args:
            allow_older: accept a commit that is older than the merge deployment's.
            fetch: ask the remote, else look only in the repository.
            report: called now and then with the progress.

        Returns:
            Whether it is another one than the merge deployment's.

        Raises:
            OstreeError: it cannot be pulled, or is older.
        """
        current = self.merge.checksum
        if self.refspec.remote is not None and fetch:
            wanted = self.refspec.ref if self._override is None else str(self._override)
            oldest = None if allow_older else str(current)
            self._fetch(wanted, PullOptions(timestamp_check_from=oldest), report)
        self._follow_rebase(fetch=fetch, report=report)
        if self._override is not None:
            self._repo.set_ref(self.refspec, self._override)
            self._revision = self._override
        else:
            self._revision = self._repo.resolve(str(self.refspec))
        if self._revision != current and not allow_older:
            new = self._repo.load_commit(self._revision)
            old = self._repo.load_commit(current)
            check_not_older(current, old.timestamp, self._revision, new.timestamp)
        return self._revision != current

    def _fetch(self, wanted: str, options: PullOptions, report: Report | None) -> None:
        assert self.refspec.remote is not None
        pull(self._repo, self.refspec.remote, [Wanted(wanted)], options, report)

    def _follow_rebase(self, *, fetch: bool, report: Report | None) -> None:
        """Go on with the branch that the end of this one names, if it has ended."""
        commit = self._repo.load_commit(self._repo.resolve(str(self.refspec)))
        successor = commit.lookup_str(_REBASE)
        if successor is None:
            return
        self.refspec = Refspec(self.refspec.remote, successor)
        if self.refspec.remote is not None and fetch:
            self._fetch(successor, PullOptions(), report)
        self.origin.set_string("origin", "refspec", str(self.refspec))

    def deploy(self, *, stage: bool = False) -> None:
        """Deploy what `pull` has found, with the merge deployment's configuration.

        Args:
            stage: let it be completed when the system shuts down.
        """
        if self._revision is None:
            raise DeploymentError("nothing was pulled")
        if stage or self._sysroot.settings.stage:
            check_can_stage(self._sysroot)
        request = DeployRequest(self._stateroot, self._revision, self.origin, self.merge)
        new = deploy_tree(self._sysroot, request)
        add_deployment(self._sysroot, new, self.merge)


def _choose_stateroot(sysroot: Sysroot, name: str | None) -> str:
    if name is None:
        if sysroot.booted is None:
            raise DeploymentError("Not currently booted into an OSTree system and no OS specified")
        return sysroot.booted.stateroot
    if not name:
        raise DeploymentError("Invalid empty osname")
    return name


def switch_origin(current: Refspec, text: str) -> KeyFile:
    """Return an origin for `text`, which may leave the remote or the ref as it is.

    Args:
        text: ``REMOTE:REF``, ``REF`` to stay with the remote, or ``REMOTE:`` to keep the ref.

    Raises:
        ConflictError: it is what is followed already.
    """
    if text.endswith(":"):
        wanted = parse_refspec(text + current.ref)
    else:
        wanted = parse_refspec(text)
        if wanted.remote is None:
            wanted = Refspec(current.remote, wanted.ref)
    if wanted == current:
        raise ConflictError(f"Old and new refs are equal: {wanted}")
    return new_origin(str(wanted))
