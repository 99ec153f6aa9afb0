"""`DeltaSignatures`: which static deltas of a remote may be used, by the signatures they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.delta.signatures import needs_signatures
from pyostree.errors import doing
from pyostree.formats.delta_signed import split_signed
from pyostree.formats.superblock_layout import Buffer
from pyostree.repo.delta_dirs import DeltaName
from pyostree.repo.repo import Repo

if TYPE_CHECKING:  # slow to import, and few remotes demand such signatures
    from pyostree.remote.sign_keys import EngineDemand


class DeltaSignatures:
    """Looks at superblocks before anything else does.

    The keys that count are those for the commits of the remote. Where there are none, signatures
    tell nothing: what a delta leads to is checked like any other commit.

    Args:
        engines: what the remote demands of commits; None for nothing.
    """

    def __init__(self, repo: Repo, engines: EngineDemand | None) -> None:
        self._engines = engines
        self._is_needed = needs_signatures(repo)

    def unwrap(self, name: DeltaName, data: bytes) -> Buffer | None:
        """Return a superblock without its signatures; None when it lacks one that it needs.

        Raises:
            VerificationError: none of its signatures is good and by a key that counts.
        """
        signed = split_signed(data)
        if signed is not None and self._engines is not None:
            with doing(f"Static delta {name}"):
                self._engines.check_signed(bytes(signed.data), signed.signatures)
            return signed.data
        if self._is_needed:
            return None
        return data if signed is None else signed.data
