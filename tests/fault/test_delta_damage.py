"""Static deltas that are damaged or lie: a clear error, no ref, an intact repository."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.scripted_server import Fault, Reply, ScriptedServer, scripted_server
from gpg_lab import KEYS, gpg_home
from pyostree.delta.apply_part import apply_part
from pyostree.delta.offline import apply_offline
from pyostree.delta.part_file import pack_part
from pyostree.errors import OstreeError, describe
from pyostree.formats.delta_operations import (
    Close,
    Open,
    Operation,
    Patch,
    SetSource,
    SpliceFile,
    SpliceMetadata,
    UnsetSource,
    Write,
    encode_operation,
)
from pyostree.formats.delta_part import FileMode, decode_payload, encode_payload
from pyostree.formats.delta_superblock import (
    Fallback,
    Superblock,
    decode_superblock,
    encode_superblock,
)
from pyostree.formats.file_header import FileHeader, encode_header
from pyostree.formats.gvariant import Variant, encode
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.from_remote import pull
from pyostree.pull.options import PullOptions, Wanted
from pyostree.repo.repo import Repo
from repo_lab import (
    commit,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    write_files,
)

IMPATIENT = PullOptions(network_retries=0, low_speed_time_s=1, require_static_deltas=True)


class Published(NamedTuple):
    repo: Path
    superblock: str
    part: str
    old: str
    new: str


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    base = tmp_path_factory.mktemp("published")
    noise = random.Random(2).randbytes(50_000)
    tree = write_files(base / "tree", {"lib.so.1": noise, "note": "one\n"})
    repo = make_repo(base / "repo")
    old = commit(repo, "-b", "main", f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0")
    write_files(tree, {"lib.so.1": noise[:30_000] + b"new" + noise[30_000:], "note": "two\n"})
    (tree / "link").symlink_to("note")
    words = (f"--parent={old}", f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0")
    new = commit(repo, "-b", "main", *words)
    must(ours("static-delta", "generate", f"--repo={repo}", "main"))
    must(ours("summary", "-u", f"--repo={repo}"))  # without one, no delta can be required
    (path,) = (repo / "deltas").rglob("superblock")
    superblock = str(path.relative_to(repo))
    return Published(repo, superblock, superblock.replace("superblock", "0"), old, new)


@pytest.fixture
def server(published: Published) -> Iterator[ScriptedServer]:
    with scripted_server(published.repo) as running:
        yield running


@pytest.fixture
def client(published: Published, tmp_path: Path, server: ScriptedServer) -> Path:
    repo = make_repo(tmp_path / "client", "bare-user")
    must(ours("pull-local", f"--repo={repo}", published.repo, published.old))
    must(ours("refs", f"--repo={repo}", "--create=origin:main", published.old))
    must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", "origin", server.url))
    return repo


def fails_to_pull(client: Path, published: Published) -> str:
    with Repo.open(client) as repo, pytest.raises((OstreeError, OSError)) as caught:
        pull(repo, "origin", [Wanted("main")], IMPATIENT)
    assert must(ours("rev-parse", f"--repo={client}", "origin:main")) == published.old
    must(reference("fsck", f"--repo={client}", "-q"))
    return describe(caught.value)


def recovers(client: Path, published: Published, server: ScriptedServer) -> None:
    server.faults.clear()
    must(ours("pull", f"--repo={client}", "origin", "main"))
    must(reference("fsck", f"--repo={client}", "-q"))
    assert must(ours("rev-parse", f"--repo={client}", "origin:main")) == published.new
    assert not list((client / "state").glob("*.commitpartial"))


def rewritten(change: Callable[[Superblock], Superblock]) -> Fault:
    def fault(reply: Reply) -> Reply:
        superblock = decode_superblock(reply.body)
        return reply._replace(body=encode_superblock(change(superblock)))

    return fault


def vouched_for(published: Published, server: ScriptedServer, fault: Fault) -> None:
    """Let the server spoil the superblock, and list the digest of what it makes of it."""
    spoilt = fault(Reply((published.repo / published.superblock).read_bytes()))
    digest = Variant("ay", hashlib.sha256(spoilt.body).digest())
    index = index_of(published, digest)
    server.faults["superblock"] = lambda _: spoilt
    server.faults[".index"] = lambda reply: reply._replace(body=index)


def index_of(published: Published, digest: Variant) -> bytes:
    listed = Variant("a{sv}", ((f"{published.old}-{published.new}", digest),))
    return encode("a{sv}", (("ostree.static-deltas", listed),))


# -- what comes from a server ------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("file", ["superblock", "/0"])
def test_cut_short(
    published: Published, client: Path, server: ScriptedServer, file: str, share: float
) -> None:
    def cut(reply: Reply) -> Reply:
        return reply._replace(body=reply.body[: int(len(reply.body) * share)])

    if file == "superblock":
        vouched_for(published, server, cut)
    else:
        server.faults[file] = cut
    fails_to_pull(client, published)
    assert any(path.endswith(file) for path in server.requests)
    recovers(client, published, server)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("file", ["superblock", "/0"])
def test_flipped_bits(
    published: Published, client: Path, server: ScriptedServer, file: str, seed: int
) -> None:
    def fault(reply: Reply) -> Reply:
        chance = random.Random(seed)
        body = bytearray(reply.body)
        # Not the time of a superblock, which nothing else contradicts.
        start = 0x28 if file == "superblock" else 0
        body[chance.randrange(start, len(body))] ^= 1 << chance.randrange(8)
        return reply._replace(body=bytes(body))

    server.faults[file] = fault
    message = fails_to_pull(client, published)
    if file == "superblock":
        assert message == f"Invalid checksum for static delta {published.old}-{published.new}"
    recovers(client, published, server)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits_in_a_superblock_nobody_vouches_for(
    published: Published, client: Path, server: ScriptedServer, seed: int
) -> None:
    """Nothing wrong is stored; a ref names a complete commit or does not move."""

    def fault(reply: Reply) -> Reply:
        chance = random.Random(seed)
        body = bytearray(reply.body)
        for _ in range(3):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        return reply._replace(body=bytes(body))

    server.faults["superblock"] = fault
    server.faults["summary"] = lambda _: Reply(b"", 404)
    with Repo.open(client) as repo, suppress(OstreeError, OSError):
        pull(repo, "origin", [Wanted("main")], IMPATIENT._replace(require_static_deltas=False))
    assert any(path.endswith("superblock") for path in server.requests)
    must(reference("fsck", f"--repo={client}", "-q"))
    recovers(client, published, server)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda head: head._replace(source=None),
            "Superblock of static delta",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(version=1),)),
            "Delta part has too new version 1",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(raw_checksum=b"abc"),)),
            "Invalid checksum of length 3 expected 32",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(size=10),)),
            "exceeded maximum size of 10 bytes",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(size=0),)),
            "exceeded maximum size of 1 bytes",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(usize=1 << 62),)),
            "Delta requires 4.6\N{NO-BREAK SPACE}EB free space, but only",
        ),
        (
            lambda head: head._replace(parts=(head.parts[0]._replace(raw_objects=b"abc"),)),
            "Invalid checksum array length 3",
        ),
        (
            lambda head: head._replace(
                parts=(
                    head.parts[0]._replace(
                        raw_objects=head.parts[0].raw_objects + b"\1" + bytes(32)
                    ),
                )
            ),
            "Executing delta part 0: Static delta part does not produce object 00",
        ),
        (
            lambda head: head._replace(
                parts=(head.parts[0]._replace(raw_objects=b"\1" + bytes(32)),)
            ),
            "Executing delta part 0: ",
        ),
        (
            lambda head: head._replace(fallbacks=(Fallback(ObjectType.DIRTREE, bytes(32), 1, 1),)),
            "Found metadata object as fallback: 0000",
        ),
        (
            lambda head: head._replace(fallbacks=(Fallback(77, bytes(32), 1, 1),)),
            "Invalid object type '77'",
        ),
        (
            lambda head: head._replace(fallbacks=(Fallback(1, bytes(32), 1, 1),)),
            "Server returned HTTP 404",
        ),
    ],
)
def test_lying_superblock(
    published: Published,
    client: Path,
    server: ScriptedServer,
    change: Callable[[Superblock], Superblock],
    message: str,
) -> None:
    vouched_for(published, server, rewritten(change))
    assert message in fails_to_pull(client, published)
    recovers(client, published, server)


def test_commit_of_another_name(published: Published, client: Path, server: ScriptedServer) -> None:
    with Repo.open(client) as repo:
        other = repo.store.read_metadata(
            ObjectName(Checksum(bytes.fromhex(published.old)), ObjectType.COMMIT)
        )
    vouched_for(published, server, rewritten(lambda head: head._replace(commit=other)))
    assert "Corrupted commit object" in fails_to_pull(client, published)


def test_part_that_is_not_there(published: Published, client: Path, server: ScriptedServer) -> None:
    server.faults["/0"] = lambda reply: Reply(b"", 404)
    assert "Server returned HTTP 404" in fails_to_pull(client, published)
    recovers(client, published, server)


@pytest.mark.parametrize(
    ("digest", "message"),
    [
        (Variant("s", "x"), "Invalid checksum variant of type 's', expected 'ay'"),
        (Variant("ay", b"x"), "Invalid checksum of length 1 expected 32"),
    ],
)
def test_bad_index(
    published: Published,
    client: Path,
    server: ScriptedServer,
    digest: Variant,
    message: str,
) -> None:
    index = index_of(published, digest)
    server.faults[".index"] = lambda reply: reply._replace(body=index)
    assert message in fails_to_pull(client, published)


# -- what stands in a part ---------------------------------------------------------------

CONTENT = b"content of the file\n"
HEADER = FileHeader(0, 0, 0o100644)
FILE = Checksum(hashlib.sha256(encode_header(HEADER) + CONTENT).digest())
NAME = ObjectName(FILE, ObjectType.FILE)
DIRTREE = ObjectName(Checksum(bytes(32)), ObjectType.DIRTREE)
MODES = (FileMode(0, 0, 0o100644), FileMode(0, 0, 0o120777), FileMode(0, 0, 0o040755))
SIZE = len(CONTENT)


def run(client: Path, operations: Sequence[Operation], *objects: ObjectName) -> None:
    """Apply a part with `CONTENT`, and behind it the checksum of its file, as blob."""
    blob = CONTENT + FILE
    payload = encode_payload(MODES, ((),), blob, b"".join(map(encode_operation, operations)))
    with Repo.open(client) as repo, repo.transaction():
        apply_part(repo, objects or (NAME,), decode_payload(memoryview(payload)))


@pytest.mark.parametrize(
    "operations",
    [
        [SpliceFile(0, 0, SIZE, 0)],
        [Open(0, 0, SIZE), Write(SIZE, 0), Close()],
        [Open(0, 0, SIZE), Write(3, 0), UnsetSource(), Write(SIZE - 3, 3), Close(), UnsetSource()],
        [SpliceFile(0, 0, SIZE, 0), SetSource(SIZE), UnsetSource()],
    ],
)
def test_good_parts(client: Path, operations: list[Operation]) -> None:
    run(client, operations)
    run(client, operations)
    assert any(str(FILE)[2:] in name for name in object_names(client))


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([SpliceFile(0, 0, SIZE - 1, 0)], "Corrupted file object"),
        ([SpliceFile(0, 0, SIZE, 33)], "opcode open-splice-and-close: Invalid offset/length 33/"),
        ([SpliceFile(0, 0, 2**64 - 1, 2**64 - 1)], "Invalid offset/length"),
        ([SpliceFile(3, 0, SIZE, 0)], "Invalid mode index 3"),
        ([SpliceFile(0, 1, SIZE, 0)], "Invalid xattr index 1"),
        ([SpliceFile(2, 0, SIZE, 0)], "not a valid file type"),
        ([SpliceFile(1, 0, 32, SIZE)], ""),
        ([Open(1, 0, SIZE)], "not a regular file"),
        ([Open(0, 0, SIZE), Write(SIZE, 0)], "ends within an object"),
        ([Open(0, 0, SIZE), Open(0, 0, SIZE)], "opcode open: An object is open already"),
        ([Open(0, 0, SIZE), Write(SIZE - 1, 0), Close()], "Unexpected EOF"),
        ([Open(0, 0, SIZE - 1), Write(SIZE, 0), Close()], "longer than the"),
        ([Open(0, 0, 2**63), Close()], ""),
        ([Open(0, 0, 2**64 - 1), Write(SIZE, 0), Close()], ""),
        ([Open(0, 0, SIZE), Write(SIZE, 1), Close()], "Corrupted file object"),
        ([Open(0, 0, SIZE), Write(1, 2**40), Close()], "opcode write: Invalid offset/length"),
        ([Open(0, 0, SIZE), Patch(0, 9), Close()], "There is no read source"),
        ([Open(0, 0, SIZE), Close(), Close(), Close()], ""),
        ([Write(1, 0)], "opcode write: No object is open"),
        ([Patch(0, 1)], "opcode bspatch: No object is open"),
        ([SetSource(SIZE)], "opcode set-read-source: Opening content object"),
        ([SetSource(SIZE + 1)], "opcode set-read-source: Invalid offset/length 21/32"),
        ([Close()], "does not produce object"),
        ([], "does not produce object"),
        ([Close(), Open(0, 0, 1)], "more objects than it lists"),
    ],
)
def test_bad_operations(client: Path, operations: list[Operation], message: str) -> None:
    before = object_names(client)
    with pytest.raises((OstreeError, OSError)) as caught:
        run(client, operations)
    assert message in describe(caught.value)
    assert object_names(client) == before


def test_source_shorter_than_a_write(client: Path) -> None:
    run(client, [SpliceFile(0, 0, SIZE, 0)])
    other = ObjectName(Checksum(bytes(32)), ObjectType.FILE)
    for operation, message in (
        (Write(SIZE + 1, 0), f"opcode write: Unexpected EOF reading object {FILE}"),
        (Patch(0, SIZE), "bsdiff patch failed"),
    ):
        with pytest.raises(OstreeError) as caught:
            run(client, [SetSource(SIZE), Open(0, 0, 99), operation, Close()], other)
        assert message in describe(caught.value)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([SpliceMetadata(SIZE, 0)], "Corrupted dirtree object"),
        ([Open(0, 0, SIZE), Write(SIZE, 0), Close()], "is opened as a file"),
    ],
)
def test_bad_metadata(client: Path, operations: list[Operation], message: str) -> None:
    with pytest.raises(OstreeError) as caught:
        run(client, operations, DIRTREE)
    assert message in describe(caught.value)


def test_many_sources_keep_few_files_open(client: Path) -> None:
    run(client, [SpliceFile(0, 0, SIZE, 0)])
    before = len(os.listdir("/proc/self/fd"))
    other = ObjectName(Checksum(bytes(32)), ObjectType.FILE)
    sources = [SetSource(SIZE), Write(0, 0)] * 2000
    with pytest.raises(OstreeError, match="Corrupted file object"):
        run(client, [*sources, Open(0, 0, 0), *sources, Close()][2 * 2000 :], other)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


# -- offline -----------------------------------------------------------------------------


def test_offline_needs_its_source_and_no_fallbacks(published: Published, tmp_path: Path) -> None:
    delta = (published.repo / published.superblock).parent
    empty = make_repo(tmp_path / "empty", "bare-user")
    with Repo.open(empty) as repo:
        with pytest.raises(OstreeError, match="which is the delta source, is not in repository"):
            apply_offline(repo, str(delta))
        superblock = decode_superblock((delta / "superblock").read_bytes())
        copy = write_files(
            tmp_path / "copy",
            {
                "superblock": encode_superblock(
                    superblock._replace(source=None, fallbacks=(Fallback(1, bytes(32), 1, 1),))
                )
            },
        )
        with pytest.raises(OstreeError, match="contains nonempty http fallback entries"):
            apply_offline(repo, str(copy))
    assert not object_names(empty)


def test_offline_part_missing(published: Published, client: Path, tmp_path: Path) -> None:
    delta = (published.repo / published.superblock).parent
    copy = write_files(tmp_path / "copy", {"head": (delta / "superblock").read_bytes()})
    before = object_names(client)
    with Repo.open(client) as repo, pytest.raises(FileNotFoundError) as caught:
        apply_offline(repo, str(copy / "head"))
    assert "Opening deltapart '0'" in describe(caught.value)
    assert object_names(client) == before


def test_offline_delta_with_a_hole_marks_its_commit(
    published: Published, client: Path, tmp_path: Path
) -> None:
    delta = (published.repo / published.superblock).parent
    superblock = decode_superblock((delta / "superblock").read_bytes())
    head = encode_superblock(superblock._replace(parts=()))
    copy = write_files(tmp_path / "copy", {"superblock": head})
    with Repo.open(client) as repo:
        apply_offline(repo, str(copy))
        assert repo.is_partial(superblock.target)
        assert not repo.is_partial(Checksum(bytes.fromhex(published.old)))


def test_bomb_is_stopped(published: Published, client: Path, tmp_path: Path) -> None:
    """A part of a few hundred bytes that would fill the disk."""
    from pyostree.delta.part_file import open_payload
    from pyostree.errors import FormatError

    bomb = pack_part(bytes(4 << 20))
    with (
        Repo.open(client) as repo,
        pytest.raises(FormatError, match="exceeds configured limit"),
        open_payload([bomb], repo.tmp, max_bytes=1 << 20),
    ):
        pass


# -- what comes beside it ----------------------------------------------------------------


def test_detached_metadata_that_comes_after_a_signed_delta_is_checked_too(tmp_path: Path) -> None:
    with gpg_home() as keys:
        source = make_repo(tmp_path / "source")
        tree = write_files(tmp_path / "tree", {"a": "a\n"})
        words = (*keys.options(KEYS[0]), f"--tree=dir={tree}")
        made = commit(source, "-b", "main", *words)
        must(ours("static-delta", "generate", f"--repo={source}", "--empty", "main"))
        detached = source / f"objects/{made[:2]}/{made[2:]}.commitmeta"
        good = detached.read_bytes()
        detached.unlink()
        must(ours("gpg-sign", f"--repo={source}", f"--gpg-homedir={keys.path}", made, KEYS[1]))
        client = make_repo(tmp_path / "client", "bare-user-only")
        with scripted_server(source) as server:
            trust = f"--gpg-import={keys.armored(0)}"
            must(ours("remote", "add", f"--repo={client}", trust, "origin", server.url))
            done = ours("pull", f"--repo={client}", "origin", "main")
            assert any(path.endswith("/superblock") for path in server.requests)
        assert done.status == 1
        assert "Can't check signature: public key not found" in done.err
        assert not refs_of(client)
        assert (client / detached.relative_to(source)).read_bytes() == good
