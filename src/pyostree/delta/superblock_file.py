"""Files of a static delta that a person names, by its commits or by the path of a superblock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import NamedTuple

from pyostree.delta.plan import check_name
from pyostree.delta.signatures import check_signed_superblock
from pyostree.formats.delta_signed import split_signed
from pyostree.formats.delta_superblock import Superblock, decode_superblock
from pyostree.formats.superblock_layout import Buffer
from pyostree.fs.dir import Dir
from pyostree.fs.file import CHUNK_BYTES, InputFile
from pyostree.fs.mapping import Mapping
from pyostree.fs.tempdir import private_directory
from pyostree.fs.tempfile import TempFile
from pyostree.repo.delta_dirs import DeltaName, parse_delta_id, part_path, superblock_path
from pyostree.repo.repo import Repo
from pyostree.sign.engine import Verifier

_MAX_IN_MEMORY_BYTES = 16 << 20


class ReadDelta(NamedTuple):
    """A superblock, and whether it is signed; signatures are not verified."""

    superblock: Superblock
    is_signed: bool


@contextmanager
def open_delta(repo: Repo, delta: str) -> Iterator[ReadDelta]:
    """Give the superblock of a delta.

    Args:
        delta: its commits, or the path of a superblock when there is a slash in it.

    Raises:
        InvalidNameError: it is neither.
        OSError: it cannot be read.
        FormatError: it is damaged.
    """
    with _open(repo, delta) as data:
        signed = split_signed(data)
        superblock = decode_superblock(data if signed is None else signed.data)
        yield ReadDelta(superblock, signed is not None)


def verify_delta(repo: Repo, delta: str, verifier: Verifier) -> None:
    """Verify the signatures of a delta.

    Args:
        delta: as for `open_delta`. One that is named by its commits must be the one between them;
            the reference is content with a good signature of any other delta.

    Raises:
        VerificationError: no signature is good and by a key that counts.
        OstreeError, OSError: as `open_delta`.
    """
    with _open(repo, delta) as data:
        signed = split_signed(data)
        check_signed_superblock(signed, verifier)
        if signed is not None and not _is_path(delta):
            check_name(decode_superblock(signed.data), parse_delta_id(delta))


@contextmanager
def open_part(
    repo: Repo, delta: str, superblock: Superblock, index: int
) -> Iterator[Iterable[Buffer]]:
    """Give the bytes of one part's file.

    It lies in the superblock, or beside a superblock that is named by its path, or else where the
    repository has it.

    Args:
        delta: as for `open_delta`.

    Raises:
        OSError: it cannot be read.
    """
    path = part_path(DeltaName(superblock.source, superblock.target), index)
    inline = superblock.inline_part(path)
    if inline is not None:
        yield inline.chunks()
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


@contextmanager
def _open(repo: Repo, delta: str) -> Iterator[Buffer]:
    if not _is_path(delta):
        with open_superblock(repo, repo.dir, superblock_path(parse_delta_id(delta))) as data:
            yield data
        return
    with Dir.at(".") as here, open_superblock(repo, here, delta) as data:
        yield data


@contextmanager
def open_superblock(repo: Repo, directory: Dir, name: str) -> Iterator[Buffer]:
    """Give the content of a superblock's file, read once: nobody can change it any more.

    A large one, with parts in it, goes to a file without a name rather than to memory.

    Args:
        repo: whose disk holds the copy, if it may.

    Raises:
        OSError: it cannot be read, or there is no space.
    """
    with ExitStack() as opened:
        file = opened.enter_context(InputFile(directory.open_read(name)))
        size = file.status().st_size
        if size <= _MAX_IN_MEMORY_BYTES:
            yield file.read_rest(max_bytes=_MAX_IN_MEMORY_BYTES)
            return
        copy = opened.enter_context(TempFile(opened.enter_context(scratch_dir(repo))))
        for chunk in islice(file.chunks(), size // CHUNK_BYTES + 1):  # it may grow meanwhile
            copy.write(chunk)
        yield opened.enter_context(Mapping(copy.fd)).data


@contextmanager
def scratch_dir(repo: Repo) -> Iterator[Dir]:
    """Give a place for files without names: not in the repository where that is not ours."""
    if repo.tmp.is_writable():
        yield repo.tmp
        return
    with private_directory("ostree-delta-") as directory:
        yield directory
