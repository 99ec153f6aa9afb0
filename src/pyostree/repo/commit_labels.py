"""`CommitLabels`: the security labels that a commit gives to its files, from an SELinux policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.errors import ConflictError, FormatError
from pyostree.formats.xattrs import Xattrs

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo
    from pyostree.repo.selinux import SelinuxPolicy

_LABEL = b"security.selinux"
_LAST_EPOCH = 1


class CommitLabels:
    """Labels by path; they take the place of those that the files have.

    Attributes:
        is_wanted: whether a policy or a newer way of labelling was asked for.
        is_from_base: whether the policy is the one in the commit's lowest layer.
    """

    def __init__(
        self,
        *,
        policy_path: str | None = None,
        from_base: bool = False,
        epoch: int = 0,
        can_hold: bool = True,
    ) -> None:
        """Note what is wanted; `check` tells whether it makes sense.

        Args:
            policy_path: root file system with the policy.
            epoch: 1 labels ``/usr/etc`` as ``/etc``, 0 does not.
            can_hold: False where the repository has no place for the labels.
        """
        self._policy_path = policy_path
        self._epoch = epoch
        self._can_hold = self._fits = can_hold
        self._policy: SelinuxPolicy | None = None
        self.is_from_base = from_base
        self.is_wanted = policy_path is not None or from_base or epoch != 0

    @property
    def is_active(self) -> bool:
        """Whether `relabel` may change anything."""
        return self._policy is not None and self._policy.name is not None

    def begin(self, *, can_hold: bool) -> None:
        """Make ready for a commit, to a repository that may have no place for labels."""
        self._fits = self._can_hold and can_hold
        self._policy = None

    def check(self) -> None:
        """Raise what is wrong with the options, and read the policy at `policy_path`.

        Raises:
            ConflictError: two policies.
            FormatError: an unknown epoch.
            OstreeError, OSError: see `read_policy_at`.
        """
        if self._policy_path is not None and self.is_from_base:
            raise ConflictError(
                "Cannot specify both --selinux-policy and --selinux-policy-from-base"
            )
        if not 0 <= self._epoch <= _LAST_EPOCH:
            raise FormatError(f"Unknown SELinux labeling epoch: {self._epoch}")
        if self._policy_path is not None:
            from pyostree.repo.selinux import read_policy_at

            self._use(read_policy_at(self._policy_path))

    def read_from_commit(self, repo: Repo, rev: str) -> None:
        """Take the policy of a commit (errors as `read_policy_of_commit`)."""
        from pyostree.repo.selinux import read_policy_of_commit

        self._use(read_policy_of_commit(repo, rev))

    def read_from_layer(self, repo: Repo, kind: str, value: str) -> None:
        """Take the policy of a layer, which is a directory or a commit.

        Raises:
            ConflictError: it is an archive.
            OstreeError, OSError: see `read_policy_at`.
        """
        match kind:
            case "dir":
                from pyostree.repo.selinux import read_policy_at

                self._use(read_policy_at(value))
            case "ref":
                self.read_from_commit(repo, value)
            case _:
                raise ConflictError(f"Cannot use --selinux-policy-from-base with {kind}")

    def _use(self, policy: SelinuxPolicy) -> None:
        if self._fits:
            self._policy = policy

    def relabel(self, path: str, mode: int, xattrs: Xattrs) -> Xattrs:
        """Return `xattrs` with the label of the path, if the policy has one for it.

        Args:
            path: ``/`` for the root, ``/a/b`` below, without a slash at the end.
            mode: as it is committed, with the type bits.

        Raises:
            OstreeError: the policy has a broken pattern.
        """
        if self._policy is None:
            return xattrs
        if self._epoch == 1 and (path == "/usr/etc" or path.startswith("/usr/etc/")):
            path = path.removeprefix("/usr")  # a device merges it into /etc, where it is looked up
        label = self._policy.label(path, mode)
        if label is None:
            return xattrs
        kept = [pair for pair in xattrs if pair[0] != _LABEL]
        return tuple(sorted([*kept, (_LABEL, label + b"\0")]))


NO_LABELS = CommitLabels()
