"""`Remotes`: the places that a repository pulls from, as programs see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import NotFoundError
from pyostree.remote import remotes as core
from pyostree.remote.endpoints import read_demands

if TYPE_CHECKING:
    from pyostree.api.keys import GpgPublicKey, PublicKey, PublicKeyFile
    from pyostree.formats.summary import Summary
    from pyostree.repo.repo import Repo


class Remote(NamedTuple):
    """One remote, as it is configured.

    Attributes:
        url: where it is; None when only a ``metalink`` says so.
        branches: refs that a pull gets when it names none.
        gpg_verify: whether commits must be signed by a key that is trusted for this remote.
        gpg_verify_summary: the same for the summary.
        collection_id: collection that its refs belong to.
        sign_verify: whether commits must be signed by a key of another engine.
        sign_verify_summary: the same for the summary.
    """

    name: str
    url: str | None
    branches: tuple[str, ...]
    gpg_verify: bool
    gpg_verify_summary: bool
    collection_id: str | None
    sign_verify: bool = False
    sign_verify_summary: bool = False


class Remotes:
    """The remotes of a repository; iterating gives each `Remote`, sorted by name.

    They are read again for each call, so that changes by others are seen.
    """

    __slots__ = ("_repo",)

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def __iter__(self) -> Iterator[Remote]:
        remotes = core.Remotes.load(self._repo)
        return iter([_describe(remotes, name) for name in remotes.names()])

    def names(self) -> list[str]:
        """Return the names of all remotes, sorted."""
        return core.Remotes.load(self._repo).names()

    def get(self, name: str) -> Remote:
        """Return one remote.

        Raises:
            RemoteNotFoundError: there is none of that name.
        """
        return _describe(core.Remotes.load(self._repo), name)

    def add(  # noqa: PLR0913  # the options of a command, all by keyword
        self,
        name: str,
        url: str,
        *,
        branches: Sequence[str] = (),
        gpg_verify: bool = True,
        gpg_keys: bytes = b"",
        sign_verify: Sequence[PublicKey | PublicKeyFile] = (),
        collection_id: str | None = None,
        settings: Mapping[str, str] | None = None,
        replace: bool = False,
    ) -> Remote:
        """Configure a remote.

        Args:
            url: of the repository; or ``mirrorlist=URL``, ``metalink=URL``.
            branches: refs that a pull gets when it names none.
            gpg_verify: whether commits must be signed by one of the keys for this remote.
            gpg_keys: OpenPGP keys, binary or armored, that may sign them.
            sign_verify: keys of other engines, one of which must sign commits (beside OpenPGP,
                unless `gpg_verify` is false): of each engine one key, one file of keys, or both.
                A file is read at every pull.
            collection_id: collection that its refs belong to.
            settings: more keys of its group in the configuration, such as ``contenturl``.
            replace: whether a remote of that name gives way; its keys stay.

        Raises:
            InvalidNameError: bad name.
            ConflictError: the remote exists, or there are two keys of one engine.
            FormatError, NotFoundError: a key is none.
        """
        from pyostree.api.trust import check_gpg_keys, sign_verify_settings
        from pyostree.remote.add_remote import IfExists, NewRemote, add_remote

        self._repo.check_writable()
        new = NewRemote(
            name,
            url,
            tuple(branches),
            options=(*(settings or {}).items(), *sign_verify_settings(sign_verify).items()),
            gpg_verify=gpg_verify,
            collection_id=collection_id,
        )
        if gpg_keys:  # a remote without the keys that were meant would trust the machine's
            check_gpg_keys(gpg_keys)
        remotes = core.Remotes.load(self._repo)
        add_remote(remotes, new, IfExists.REPLACE if replace else IfExists.FAIL)
        if gpg_keys:
            self.import_keys(name, gpg_keys)
        return self.get(name)

    def delete(self, name: str) -> None:
        """Remove a remote and its keys; the refs that were pulled stay.

        Raises:
            RemoteNotFoundError: there is none of that name.
        """
        self._repo.check_writable()
        core.Remotes.load(self._repo).delete(name)

    def import_keys(self, name: str, keys: bytes) -> int:
        """Trust OpenPGP keys, binary or armored, for a remote; return how many are new."""
        from pyostree.remote.keyrings import import_remote_keys

        self._repo.check_writable()
        return import_remote_keys(self._repo, name, keys)

    def list_keys(self, name: str) -> tuple[GpgPublicKey | PublicKey, ...]:
        """Return the keys that are trusted for a remote.

        Where a remote has no OpenPGP keys of its own, those of the machine count, which are not
        listed here; likewise for keys of engines when it demands a signature of any engine.

        Raises:
            RemoteNotFoundError: there is none of that name.
            OstreeError, OSError: keys cannot be read.
        """
        from pyostree.api.trust import list_remote_keys

        return list_remote_keys(self._repo, name)

    def fetch_summary(self, name: str) -> Summary:
        """Return the summary of a remote: which refs it has, and their commits.

        Its signature is checked if the remote is configured so. Names and checksums are valid.

        Raises:
            FetchError: the remote cannot be read.
            NotFoundError: it has no summary.
            VerificationError: no signature that is demanded is valid.
        """
        from pyostree.pull.remote_summary import read_remote_summary
        from pyostree.remote.fetch_summary import fetch_summary

        data = fetch_summary(self._repo, name).data
        if data is None:
            raise NotFoundError(f'Remote "{name}" has no summary')
        return read_remote_summary(data).content


def _describe(remotes: core.Remotes, name: str) -> Remote:
    demands = read_demands(remotes, name)
    return Remote(
        name,
        remotes.get(name, "url"),
        remotes.get_list(name, "branches") or (),
        demands.gpg_commits,
        demands.gpg_summary,
        remotes.get(name, "collection-id"),
        demands.engine_commits,
        demands.engine_summary,
    )
