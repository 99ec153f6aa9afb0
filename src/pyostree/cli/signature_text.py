"""How commands print OpenPGP signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pyostree.sign.gpg.result import GpgSignature


def write_signatures(out: TextIO, heading: str, signatures: Sequence[GpgSignature]) -> None:
    """Print a line that counts the signatures, and a paragraph about each.

    Args:
        heading: with ``{}`` where ``1 signature`` goes.
    """
    from pyostree.sign.gpg.result import describe_all

    count = len(signatures)
    noun = "signature" if count == 1 else "signatures"
    out.write(f"{heading.format(f'{count} {noun}')}:\n{describe_all(signatures)}")
