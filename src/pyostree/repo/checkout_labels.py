"""`CheckoutLabels`: the security labels of a policy, for the files of a checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.errors import doing
from pyostree.formats.file_header import FileHeader
from pyostree.formats.xattrs import Xattrs
from pyostree.fs.dir import Dir
from pyostree.repo.tree import TreeEntry, TreeFile

if TYPE_CHECKING:
    from pyostree.repo.selinux import SelinuxPolicy

_LABEL = b"security.selinux"


class CheckoutLabels:
    """Labels by path; they take the place of those that the commit has."""

    def __init__(self, policy: SelinuxPolicy, prefix: str | None) -> None:
        """Look labels up in `policy`, for paths below `prefix`; None: where the files lie."""
        self._policy = policy
        self._is_fixed = prefix is not None
        self._prefix = "/" + (prefix or "").strip("/")

    def below(self, top: TreeEntry) -> CheckoutLabels:
        """Return the labels for a checkout of `top`, unless a prefix was given."""
        if self._is_fixed:
            return self
        is_file = isinstance(top, TreeFile)
        return CheckoutLabels(self._policy, top.path.rpartition("/")[0] if is_file else top.path)

    def relabel(self, path: str, mode: int, xattrs: Xattrs) -> Xattrs:
        """Return `xattrs` with the label of a path of the checkout in place of the one they have.

        Raises:
            OstreeError: the policy has a broken pattern.
        """
        full = (self._prefix.rstrip("/") + path).rstrip("/") or "/"
        label = self._policy.label(full, mode)
        kept = tuple(pair for pair in xattrs if pair[0] != _LABEL)
        return kept if label is None else (*kept, (_LABEL, label))

    def relabel_file(self, path: str, header: FileHeader) -> FileHeader:
        """Return `header` with the label of a path of the checkout (errors as `relabel`)."""
        return header._replace(xattrs=self.relabel(path, header.mode, header.xattrs))


def read_labels(policy_path: str, prefix: str | None) -> CheckoutLabels | None:
    """Return the labels of the policy in a root file system; None where SELinux is off there.

    Raises:
        OstreeError, OSError: see `read_policy`.
    """
    from pyostree.repo.selinux import read_policy

    with doing("selinux-policy: "):
        root = Dir.at(policy_path)
    with root:
        policy = read_policy(root)
    return None if policy.name is None else CheckoutLabels(policy, prefix)
