"""Files of a static delta that a person names, by its commits or by the path of a superblock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pyostree.delta.plan import check_name
from pyostree.delta.signatures import check_signed_superblock
from pyostree.formats.delta_signed import split_signed
from pyostree.formats.delta_superblock import Superblock, decode_superblock
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.delta_dirs import DeltaName, parse_delta_id, part_path, superblock_path
from pyostree.repo.repo import Repo
from pyostree.sign.engine import Verifier


class ReadDelta(NamedTuple):
    """A superblock, and whether it is signed; signatures are not verified."""

    superblock: Superblock
    is_signed: bool


def read_delta(repo: Repo, delta: str) -> ReadDelta:
    """Return the superblock of a delta.

    Args:
        delta: its commits, or the path of a superblock when there is a slash in it.

    Raises:
        InvalidNameError: it is neither.
        OSError: it cannot be read.
        FormatError: it is damaged.
    """
    data = _read(repo, delta)
    signed = split_signed(data)
    return ReadDelta(decode_superblock(data if signed is None else signed.data), signed is not None)


def verify_delta(repo: Repo, delta: str, verifier: Verifier) -> None:
    """Verify the signatures of a delta.

    Args:
        delta: as for `read_delta`. One that is named by its commits must be the one between them;
            the reference is content with a good signature of any other delta.

    Raises:
        VerificationError: no signature is good and by a key that counts.
        OstreeError, OSError: as `read_delta`.
    """
    data = _read(repo, delta)
    signed = split_signed(data)
    check_signed_superblock(signed, verifier)
    if signed is not None and not _is_path(delta):
        check_name(decode_superblock(signed.data), parse_delta_id(delta))


@contextmanager
def open_part(
    repo: Repo, delta: str, superblock: Superblock, index: int
) -> Iterator[Iterable[bytes]]:
    """Give the bytes of one part's file.

    It lies in the superblock, or beside a superblock that is named by its path, or else where the
    repository has it.

    Args:
        delta: as for `read_delta`.

    Raises:
        OSError: it cannot be read.
    """
    path = part_path(DeltaName(superblock.source, superblock.target), index)
    inline = superblock.inline_part(path)
    if inline is not None:
        yield [inline]
        return
    if _is_path(delta):
        directory, _ = Dir.above(delta)
        with directory:
            if directory.exists(str(index)):
                with InputFile(directory.open_read(str(index))) as file:
                    yield file.chunks()
                return
    with InputFile(repo.dir.open_read(path)) as file:
        yield file.chunks()


def _is_path(delta: str) -> bool:
    return "/" in delta


def _read(repo: Repo, delta: str) -> bytes:
    if not _is_path(delta):
        return repo.dir.read_file(
            superblock_path(parse_delta_id(delta)), max_bytes=MAX_METADATA_BYTES
        )
    with Dir.at(".") as here:
        try:
            return here.read_file(delta, max_bytes=MAX_METADATA_BYTES)
        except IsADirectoryError as err:
            err.__notes__ = []  # as the reference, which maps the file into memory
            raise
