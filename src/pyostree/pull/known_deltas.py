"""Static deltas that a remote lists, and which of them serves a pull best."""

from __future__ import annotations

from collections.abc import Iterable

from pyostree.errors import FormatError
from pyostree.formats.commit import METADATA_TYPE, decode_metadata
from pyostree.formats.gvariant import Variant, lookup
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType
from pyostree.formats.summary import STATIC_DELTAS
from pyostree.repo.delta_dirs import DeltaName, parse_delta_id
from pyostree.repo.repo import Repo


class KnownDeltas:
    """What summary and indexes say about the deltas of a remote.

    Attributes:
        has_summary: the remote has a summary, so that a delta it does not list does not exist.
        is_indexed: there are indexes, too.
    """

    def __init__(self, *, has_summary: bool = False, is_indexed: bool = False) -> None:
        self.has_summary = has_summary
        self.is_indexed = is_indexed
        self._digests: dict[DeltaName, bytes] = {}

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def may_serve(self) -> bool:
        """Whether a commit may turn out to come by a delta."""
        return bool(self._digests) or self.is_indexed or not self.has_summary

    def digest(self, name: DeltaName) -> bytes | None:
        """Return the SHA-256 that the superblock of a delta must have; None when unknown."""
        return self._digests.get(name)

    def add(self, listed: Variant | None) -> None:
        """Add the value that a summary or index has under ``ostree.static-deltas``.

        Raises:
            FormatError: a digest is none.
            InvalidNameError: a bad name of a delta.
        """
        if listed is not None and listed.type == METADATA_TYPE:
            self.add_all(listed.value)

    def add_all(self, pairs: Iterable[tuple[str, Variant]]) -> None:
        """Add names of deltas and the SHA-256 of their superblocks (errors as `add`)."""
        for name, digest in pairs:
            if digest.type != "ay":
                raise FormatError(
                    f"Invalid checksum variant of type '{digest.type}', expected 'ay'"
                )
            if len(digest.value) != CHECKSUM_BYTES:
                raise FormatError(
                    f"Invalid checksum of length {len(digest.value)} expected {CHECKSUM_BYTES}"
                )
            self._digests[parse_delta_id(name)] = digest.value

    def add_index(self, data: bytes) -> None:
        """Add what an index file lists (errors as `add`)."""
        self.add(lookup(decode_metadata(data), STATIC_DELTAS))

    def choose(self, repo: Repo, target: Checksum, *, allow_scratch: bool) -> DeltaName | None:
        """Return the delta to `target` that starts from the newest complete commit here.

        Args:
            allow_scratch: whether one from nothing will do when there is no other.
        """
        sources = (name.source for name in self._digests if name.target == target)
        best = _newest(repo, (source for source in sources if source is not None))
        if best is not None:
            return DeltaName(best, target)
        scratch = DeltaName(None, target)
        return scratch if allow_scratch and scratch in self._digests else None


def is_complete(repo: Repo, commit: Checksum) -> bool:
    """Tell whether a commit is here with all that belongs to it."""
    return repo.store.has(ObjectName(commit, ObjectType.COMMIT)) and not repo.is_partial(commit)


def _newest(repo: Repo, commits: Iterable[Checksum]) -> Checksum | None:
    here = [commit for commit in commits if is_complete(repo, commit)]
    return max(here, key=lambda commit: repo.load_commit(commit).timestamp, default=None)
