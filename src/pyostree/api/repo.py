"""`Repo`: an open repository with everything that programs do with one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from pyostree.formats.objects import Checksum
from pyostree.progress import Cancel, ProgressCallback, watch_with
from pyostree.repo import repo as core

if TYPE_CHECKING:
    from pyostree.api.commits import CommitOptions, HistoryEntry, Layer, MetadataValue
    from pyostree.api.keys import SigningKey
    from pyostree.api.peers import Pairs
    from pyostree.api.pulls import Refs
    from pyostree.api.remotes import Remotes
    from pyostree.api.report import FsckReport
    from pyostree.api.signatures import Signatures
    from pyostree.api.view import CommitView
    from pyostree.formats.gvariant import Variant
    from pyostree.formats.summary import Summary
    from pyostree.pull.finders.base import FinderResult
    from pyostree.pull.options import PullOptions
    from pyostree.pull.progress import PullResult
    from pyostree.repo.checkout_options import CheckoutOptions
    from pyostree.repo.commit import CommitResult
    from pyostree.repo.diff import Diff, DiffOptions
    from pyostree.repo.fsck import FsckOptions
    from pyostree.repo.modifier import CommitModifier
    from pyostree.repo.prune import PruneOptions, PruneResult

AnyPath = str | os.PathLike[str]


class Repo(core.Repo):
    """An open repository; a context manager that closes it.

    Revisions are given as text: a ref (``main``), a refspec (``origin:main``), a checksum or the
    start of one, each with any number of ``^`` for its parents; or as a `Checksum`.

    `progress` is a function that is shown how far a long call is, `cancel` a token by which
    another thread stops it: the call then raises `CancelledError`.

    Errors are an `OstreeError`, or an `OSError` when the operating system refused something.
    """

    @property
    def collection_id(self) -> str | None:
        """Collection that the repository publishes, if any."""
        return self.config.collection_id

    # -- commits ---------------------------------------------------------------------------

    def commit(  # noqa: PLR0913  # the options of a command, all by keyword
        self,
        tree: Layer | Sequence[Layer],
        branch: str | None = None,
        options: CommitOptions | None = None,
        *,
        subject: str = "",
        body: str = "",
        metadata: Mapping[str, MetadataValue] | None = None,
        detached_metadata: Mapping[str, MetadataValue] | None = None,
        parent: str | Checksum | None = None,
        modifier: CommitModifier | None = None,
        timestamp: int | None = None,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> CommitResult:
        """Commit a tree, and let `branch` point to the commit.

        After an error, and when cancelled, no ref has changed and no new commit is visible;
        files that were stored already speed up the next attempt, or go with `prune`.

        Args:
            tree: the path of a directory, a `MemoryTree`, or a `TreeSource` (a revision, a tar
                archive); or several of these, the later ones laid over the earlier ones.
            branch: ref to set, whose commit becomes the parent; None sets no ref.
            metadata: text, bool, bytes or `Variant` by key; ``version`` is shown by most tools.
            detached_metadata: kept beside the commit, so that it may be changed later.
            parent: another parent than the branch's commit; ``none`` for no parent.
            modifier: what to change on the way: owners, permissions, labels, paths to leave out.
                What a repository of mode bare-user-only cannot hold is always changed.
            timestamp: seconds since 1970 UTC; None for now.
        """
        from pyostree.api.commits import as_metadata, commit, make_request

        self.check_writable()
        request = make_request(self, tree, branch, options, modifier=modifier, parent=parent)
        request = request._replace(
            subject=subject,
            body=body,
            metadata=as_metadata(metadata or {}),
            detached=as_metadata(detached_metadata or {}),
            timestamp=timestamp,
        )
        return commit(self, request, watch_with(progress, cancel))

    def view(self, rev: str | Checksum) -> CommitView:
        """Return the tree of a commit, to look at its files.

        Raises:
            RefNotFoundError, ObjectNotFoundError: there is no such commit.
        """
        from pyostree.api.view import CommitView

        return CommitView(self, self._find(rev))

    def history(self, rev: str | Checksum) -> Iterator[HistoryEntry]:
        """Yield a commit and its ancestors as far as they are here, newest first."""
        from pyostree.api.commits import iter_commits

        return iter_commits(self, self._find(rev))

    def diff(
        self,
        first: str | Checksum | os.PathLike[str],
        second: str | Checksum | os.PathLike[str],
        options: DiffOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> Diff:
        """Return how the tree `second` differs from `first`.

        Args:
            first: a revision, or as a path object (`pathlib.Path`) a local directory.
            second: the same.
        """
        from pyostree.api.diffs import diff_sides

        return diff_sides(self, first, second, options, watch_with(progress, cancel))

    # -- out of the repository ---------------------------------------------------------------

    def checkout(  # noqa: PLR0913  # the options of a command, all by keyword
        self,
        rev: str | Checksum,
        destination: AnyPath,
        options: CheckoutOptions | None = None,
        *,
        subpath: str = "/",
        selinux_policy: AnyPath | None = None,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Check out a commit, or a part of it, as the directory `destination`.

        Args:
            destination: must not exist, unless `options` say what happens then.
            subpath: directory or file of the commit.
            selinux_policy: root file system with the policy that gives the files their labels.

        Raises:
            FileExistsError: `destination` exists, or something in it is in the way.
        """
        from pyostree.api.checkouts import checkout_to, make_options

        chosen = make_options(options, selinux_policy)
        watch = watch_with(progress, cancel)
        checkout_to(self, self._find(rev), destination, chosen, subpath=subpath, watch=watch)

    def export(
        self,
        rev: str | Checksum,
        target: AnyPath | BinaryIO,
        *,
        subpath: str | None = None,
        prefix: str = "",
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        """Write (a part of) a commit as a tar archive; xattrs have no place in the format.

        Args:
            target: a path, or a binary stream to write to.
            subpath: only this directory of the commit.
            prefix: stands before every name as it is, so that a directory needs its slash.
        """
        from pyostree.api.exports import export_to

        watch = watch_with(progress, cancel)
        export_to(self, self._find(rev), target, subpath=subpath, prefix=prefix, watch=watch)

    # -- refs --------------------------------------------------------------------------------

    def list_refs(self, prefix: str | None = None) -> dict[str, Checksum]:
        """Return refs by their full names, sorted.

        Args:
            prefix: a ref, the directory of refs, or ``REMOTE:``; None for all refs.
        """
        from pyostree.api.ref_calls import list_refs

        return list_refs(self, prefix)

    def create_ref(self, name: str, rev: str | Checksum, *, force: bool = False) -> None:
        """Let the ref `name` point to a commit.

        Raises:
            ConflictError: it exists and `force` is not set, or refs are below it.
        """
        from pyostree.repo.ref_admin import create_ref

        self.check_writable()
        create_ref(self, name, str(rev), force=force)

    def delete_ref(self, name: str) -> None:
        """Delete one ref, or one alias; the commit stays until `prune`.

        Raises:
            RefNotFoundError: there is none.
            ConflictError: an alias stands for it.
        """
        from pyostree.api.ref_calls import delete_ref

        self.check_writable()
        delete_ref(self, name)

    def list_aliases(self) -> dict[str, str]:
        """Return aliases with the refs that they stand for."""
        from pyostree.repo.ref_admin import select_aliases

        return select_aliases(self, None)

    def create_alias(self, name: str, target: str, *, force: bool = False) -> None:
        """Let the local ref `name` stand for the local ref `target`; an alias is replaced.

        Raises:
            ConflictError: a ref that is no alias has that name, and `force` is not set.
            NotFoundError: there is no ref `target`.
        """
        from pyostree.repo.ref_admin import create_alias

        self.check_writable()
        create_alias(self, name, target, force=force)

    # -- beside commits ----------------------------------------------------------------------

    @property
    def signatures(self) -> Signatures:
        """The signatures of commits: to sign and to verify."""
        from pyostree.api.signatures import Signatures

        return Signatures(self)

    def detached_metadata(self, rev: str | Checksum) -> dict[str, Variant]:
        """Return the metadata that is kept beside a commit, such as signatures."""
        return dict(self.read_detached_metadata(self._find(rev)) or ())

    def set_detached_metadata(
        self, rev: str | Checksum, metadata: Mapping[str, MetadataValue]
    ) -> None:
        """Replace the metadata that is kept beside a commit; none deletes it."""
        from pyostree.api.commits import set_detached

        self.check_writable()
        set_detached(self, self._find(rev), metadata)

    # -- remotes and pulling -----------------------------------------------------------------

    @property
    def remotes(self) -> Remotes:
        """The named places that can be pulled from."""
        from pyostree.api.remotes import Remotes

        return Remotes(self)

    def pull(
        self,
        remote: str,
        refs: Refs = (),
        options: PullOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> PullResult:
        """Fetch commits from a remote, and let its refs here point to them.

        Refs are set last, when all objects are here. After an error, when cancelled, and after
        Ctrl-C they are as before; what was fetched and verified waits for the next attempt.

        Args:
            remote: its name, or the ``file://`` URL of a repository.
            refs: one or several of ``main``, ``main@CHECKSUM``, or the checksum of a commit; none:
                the branches of the remote's configuration, or as a mirror all that it has.

        Raises:
            FetchError: the remote cannot be read.
            NotFoundError: it lacks a ref or an object.
            VerificationError: a signature, binding or timestamp refuses a commit.
        """
        from pyostree.api.pulls import pull_refs

        self.check_writable()
        return pull_refs(self, remote, refs, options, progress, cancel)

    def pull_local(
        self,
        source: AnyPath,
        refs: Refs = (),
        options: PullOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> PullResult:
        """Copy commits from the repository at a path, with hard links where that is possible.

        Args:
            refs: as for `pull`; none: all refs of the source.
            options: refs become local ones unless `PullOptions.ref_remote` says otherwise.
        """
        from pyostree.api.pulls import pull_refs_from_path

        self.check_writable()
        return pull_refs_from_path(self, source, refs, options, progress, cancel)

    def find_remotes(
        self,
        refs: Pairs,
        finders: Sequence[str] | None = None,
        *,
        urls: Sequence[str] = (),
        cancel: Cancel | None = None,
    ) -> list[FinderResult]:
        """Find the repositories that have the newest commits of some refs, the best first.

        What does not work is left out: a remote, a stick, a peer.

        Args:
            refs: pairs of a collection and a ref.
            finders: where to look, some of ``config``, ``mount``, ``lan``; None: as configured.
            urls: repositories to ask, too.
        """
        from pyostree.api.peers import find_pairs

        return find_pairs(self, refs, finders, urls, cancel)

    def pull_found(
        self,
        results: Sequence[FinderResult],
        options: PullOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> list[PullResult]:
        """Pull what `find_remotes` found, each ref from the first repository that can give it.

        Commits must be signed by a key of the configured remote of their collection.

        Raises:
            FetchError: some refs could not be had; the others are here.
        """
        from pyostree.api.peers import pull_results

        self.check_writable()
        return pull_results(self, results, options, progress, cancel)

    def create_usb(
        self,
        mount_path: AnyPath,
        refs: Pairs,
        *,
        destination: str = ".ostree/repo",
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> PullResult:
        """Copy refs to a stick, where `find_remotes` of other machines finds them.

        Args:
            mount_path: where it is mounted.
            refs: pairs of a collection and a ref.
            destination: path of the repository on the stick.
        """
        from pyostree.api.peers import fill_stick

        return fill_stick(self, mount_path, refs, destination, progress, cancel)

    def read_summary(self) -> Summary | None:
        """Return the summary that this repository publishes, None when it has none.

        Raises:
            FormatError: the file holds something else.
        """
        from pyostree.api.publish import read_published

        return read_published(self)

    def update_summary(
        self,
        metadata: Mapping[str, MetadataValue] | None = None,
        *,
        gpg_keys: Sequence[str] = (),
        gpg_home: AnyPath | None = None,
        sign_keys: Sequence[SigningKey] = (),
    ) -> None:
        """Write the index of all refs that clients read first; to be done after every change.

        Args:
            metadata: extra keys of the summary.
            gpg_keys: IDs of secret OpenPGP keys that sign it.
            gpg_home: home directory of GnuPG with these keys; None for the user's own.
            sign_keys: keys of other engines that sign it, too.
        """
        from pyostree.api.publish import publish_summary

        self.check_writable()
        publish_summary(self, metadata or {}, gpg_keys, gpg_home, sign_keys)

    # -- maintenance -------------------------------------------------------------------------

    def prune(
        self,
        options: PruneOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> PruneResult:
        """Delete the objects that nothing needs; by default what belongs to no commit.

        Cancelled, it leaves whole commits, and some objects for the next time.
        """
        from pyostree.repo.prune import PruneOptions, prune

        chosen = options or PruneOptions()
        if not chosen.no_prune:
            self.check_writable()
        return prune(self, chosen, watch_with(progress, cancel))

    def fsck(
        self,
        options: FsckOptions | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Cancel | None = None,
    ) -> FsckReport:
        """Check that all objects of all commits are there and hash to their names.

        By default it goes on after a problem, and changes nothing but marking commits with
        missing or corrupt objects as partial.
        """
        from pyostree.api.report import check

        return check(self, options, watch_with(progress, cancel))

    def _find(self, rev: str | Checksum) -> Checksum:
        return rev if isinstance(rev, Checksum) else self.resolve(rev)
