"""How a pull stores content: by helpers or threads, the quick way or the general one."""

from __future__ import annotations

import email.utils
import hashlib
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyostree.errors import ChecksumMismatchError, OstreeError
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.file_header import FileHeader, content_checksum, encode_archive_header
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, loose_path
from pyostree.fs.memory_file import MemoryFile
from pyostree.fs.process import close_other_sockets, die_with_parent
from pyostree.pull.content import ContentReceiver, Stored
from pyostree.pull.content_queue import ContentQueue
from pyostree.pull.job import PullJob
from pyostree.pull.metadata import MetadataReceiver
from pyostree.pull.presence import ContentPresence
from pyostree.pull.progress import PullProgress
from pyostree.pull.signatures import CommitSignatures
from pyostree.pull.storing import ContentStorage
from pyostree.remote.fetch import Body, FetchRequest
from pyostree.remote.http_dates import format_http_date, parse_http_date
from pyostree.repo import processes
from pyostree.repo.modes import RepoMode
from pyostree.repo.parallel import LazyPool
from pyostree.repo.repo import Repo
from pyostree.repo.store.archive import compress

MODE = stat.S_IFREG | 0o644
OWNER = (os.getuid(), os.getgid())


def filez(data: bytes, header: FileHeader = FileHeader(*OWNER, MODE)) -> tuple[Checksum, bytes]:  # noqa: B008 - it is immutable
    packed = b"" if header.is_symlink else bytes(compress(data, 6))
    return content_checksum(header, (data,)), encode_archive_header(header, len(data)) + packed


def in_file(raw: bytes) -> Body:
    return Body(b"", MemoryFile(raw), len(raw))


@contextmanager
def storing(
    repo: Repo, outcomes: list[Stored], *, uses_helpers: bool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ContentStorage]:
    monkeypatch.setattr(processes, "worker_count", lambda: 2 if uses_helpers else 1)
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    repeated: list[Checksum] = []
    with repo.transaction(), ThreadPoolExecutor(2) as pool:
        receiver = ContentReceiver(repo.store)
        with ContentStorage(receiver, outcomes.extend, repeated.append, lambda: pool) as storage:
            yield storage
    assert repeated == []


SIZES = [0, 1, 40_000, 60_000, 900_000, 3 << 20]


@pytest.mark.parametrize(
    "mode", [RepoMode.BARE_USER, RepoMode.ARCHIVE], ids=lambda mode: mode.value
)
@pytest.mark.parametrize("uses_helpers", [True, False], ids=["helpers", "threads"])
def test_content_of_all_sizes_is_stored(
    tmp_path: Path, mode: RepoMode, uses_helpers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {filez(os.urandom(size)) for size in SIZES}
    contents |= {filez(b"%d" % number) for number in range(300)}
    contents.add(filez(bytes(17 << 20)))  # a small body, and heavy work
    contents.add(filez(b"", FileHeader(*OWNER, stat.S_IFLNK | 0o777, "target")))
    outcomes: list[Stored] = []
    with Repo.create(tmp_path / "repo", mode) as repo:
        with storing(repo, outcomes, uses_helpers=uses_helpers, monkeypatch=monkeypatch) as storage:
            storage.expect(1000)
            for checksum, raw in contents:
                storage.add(checksum, Body(raw) if len(raw) < 1 << 20 else in_file(raw))
                storage.step()
            storage.finish()
        assert len(outcomes) == len(contents)
        assert all(outcome.is_new for outcome in outcomes)
        for checksum, _ in contents:
            assert repo.store.hash_content(checksum)[1] == checksum


def test_heavy_content_waits_for_a_helper_and_stops_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Stored] = []
    with (
        Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo,
        storing(repo, outcomes, uses_helpers=True, monkeypatch=monkeypatch) as storage,
    ):
        for checksum, raw in [filez(bytes(17 << 20) + b"%d" % number) for number in range(10)]:
            storage.add(checksum, Body(raw))
        assert storage.is_full
        assert storage.is_waiting
        while storage.is_full:
            storage.wait_for_one()
        assert outcomes
        storage.finish()
        assert len(outcomes) == 10


@pytest.mark.parametrize("uses_helpers", [True, False], ids=["helpers", "threads"])
def test_what_comes_with_a_bad_object_is_stored(
    tmp_path: Path, uses_helpers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [filez(b"good %d" % number) for number in range(31)]
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo:

        def store_all() -> None:
            with storing(repo, [], uses_helpers=uses_helpers, monkeypatch=monkeypatch) as storage:
                storage.expect(1000)
                for checksum, raw in [(good[0][0], good[1][1]), *good[1:]]:
                    storage.add(checksum, Body(raw))
                storage.finish()

        with pytest.raises(ChecksumMismatchError):
            store_all()
        staged = {path.stem for path in (tmp_path / "repo/tmp").glob("staging-*/*/*")}
        assert staged == {loose_path(checksum, "")[3:-1] for checksum, _ in good[1:]}


# -- the quick way, and the general one -------------------------------------------------


class SlowReceiver(ContentReceiver):
    """Takes the general way always."""

    def _store_plain(self, checksum: Checksum, raw: bytes) -> Stored | None:
        return None


def outcome_of(receiver: ContentReceiver, checksum: Checksum, raw: bytes) -> object:
    try:
        return receiver.store(checksum, Body(raw))
    except OstreeError as err:
        return type(err), str(err), getattr(err, "__notes__", [])


@pytest.fixture(scope="module", params=[RepoMode.BARE_USER, RepoMode.ARCHIVE])
def two_repos(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Repo]]:
    base = tmp_path_factory.mktemp("two")
    with (
        Repo.create(base / "a", request.param) as one,
        Repo.create(base / "b", request.param) as two,
    ):
        yield one, two


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=3000),
    mode=st.sampled_from([MODE, MODE | 0o4000, MODE | 0o100000, 0, 0o777, stat.S_IFLNK | 0o777]),
    changes=st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=9)), max_size=2),
    tail=st.sampled_from([b"", b"", b"\0", b"more"]),
    cut=st.sampled_from([0, 0, 0, 1, 30]),
)
def test_quick_way_has_the_outcome_of_the_general_one(
    two_repos: Sequence[Repo],
    data: bytes,
    mode: int,
    changes: list[tuple[int, bytes]],
    tail: bytes,
    cut: int,
) -> None:
    header = FileHeader(*OWNER, mode)
    checksum, raw = filez(data, header)
    for position, piece in changes:
        raw = raw[:position] + piece + raw[position + len(piece) :]
    raw = raw[: len(raw) - cut] + tail
    quick, general = (
        outcome_of(kind(repo.store), checksum, raw)
        for kind, repo in zip((ContentReceiver, SlowReceiver), two_repos, strict=True)
    )
    if two_repos[0].mode.is_bare and isinstance(quick, Stored) and not isinstance(general, Stored):
        # libdeflate does without the last byte when its bits are zero; the content was checked.
        assert cut == 1
        return
    assert quick == general
    path = f"objects/{loose_path(checksum, two_repos[0].mode.content_extension)}"
    files = [Path(repo.path, path) for repo in two_repos]
    assert files[0].exists() == files[1].exists()
    if files[0].exists():
        assert files[0].read_bytes() == files[1].read_bytes()
        assert files[0].stat().st_mode == files[1].stat().st_mode


# -- commits and their detached metadata ------------------------------------------------


@pytest.mark.parametrize("order", ["detached first", "commit first", "none"])
def test_commit_is_stored_when_its_detached_metadata_is_here(tmp_path: Path, order: str) -> None:
    zero = Checksum(bytes(32))
    data = encode_commit(Commit((), None, (), "", "", 0, zero, zero))
    checksum = Checksum(hashlib.sha256(data).digest())
    commit, detached = (
        ObjectName(checksum, kind) for kind in (ObjectType.COMMIT, ObjectType.COMMITMETA)
    )
    arrived: list[ObjectName] = []
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo, repo.transaction() as running:
        progress = PullProgress(started_s=0, is_local=False)
        job = PullJob(repo, running, progress, LazyPool(), CommitSignatures(()))
        receiver = MetadataReceiver(job, lambda name, _: arrived.append(name))
        first, second = (detached, commit) if order == "detached first" else (commit, detached)
        receiver.receive(first, data if first is commit else b"")
        assert not arrived
        assert not repo.store.has(commit)
        if order == "none":
            receiver.no_detached(checksum)
        else:
            receiver.receive(second, data if second is commit else b"")
        assert arrived == [commit]
        assert repo.store.has(commit)
        assert repo.is_partial(checksum)
        assert repo.store.read_detached(checksum) == (None if order == "none" else b"")


# -- what is here -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 3, 2000])
def test_presence_is_what_the_store_says(tmp_path: Path, count: int) -> None:
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER_ONLY) as repo:
        here = [Checksum(hashlib.sha256(b"%d" % number).digest()) for number in range(count)]
        for checksum in here:
            path = tmp_path / "repo/objects" / loose_path(checksum, "file")
            path.parent.mkdir(exist_ok=True)
            path.touch()
        (tmp_path / "repo/objects/00").mkdir(exist_ok=True)
        for name in ("x.file", f"{'g' * 62}.file", f"{'0' * 62}.dirtree", "tmp.file"):
            (tmp_path / "repo/objects/00" / name).touch()
        wanted = [Checksum(bytes(32))]
        wanted += [Checksum(hashlib.sha256(b"%d" % number).digest()) for number in range(2500)]
        presence = ContentPresence(repo.store)
        missing = [digest for start in range(0, 2501, 50)
                   for digest in presence.missing(wanted[start : start + 50])]  # fmt: skip
        assert missing == [wanted[0], *wanted[count + 1 :]]
        assert not any(repo.store.is_published(ObjectName(one, ObjectType.FILE)) for one in missing)


# -- what is asked for ------------------------------------------------------------------


class CountingFetcher:
    """Takes requests, and answers none."""

    def __init__(self) -> None:
        self.requests: list[FetchRequest] = []

    @property
    def pending(self) -> int:
        return len(self.requests)

    def submit(self, request: FetchRequest) -> None:
        self.requests.append(request)


def test_content_is_asked_for_when_it_is_released_and_as_much_as_is_of_use() -> None:
    fetcher = CountingFetcher()
    store = SimpleNamespace(check_space=None)
    repo = SimpleNamespace(boot_id="boot", store=store)
    queue = ContentQueue(fetcher, (), repo)  # type: ignore[arg-type]
    for number in range(5000):
        queue.add(Checksum(number.to_bytes(32, "big")))
    queue.feed()
    assert not fetcher.requests
    queue.is_released = True
    queue.feed()
    assert 100 < fetcher.pending < 1000
    assert len(queue) + fetcher.pending == 5000
    assert fetcher.requests[0].tag == ObjectName(Checksum(bytes(32)), ObjectType.FILE)
    for _ in range(200):
        queue.note_arrival(100 << 20)
    fetcher.requests.clear()
    queue.feed()
    assert fetcher.pending < 100  # large ones take up room, once they are here


# -- processes and dates ----------------------------------------------------------------


def test_helper_keeps_no_connection_of_its_parent_open() -> None:
    ours, theirs = socket.socketpair()
    keep, kept = socket.socketpair()
    with ours, theirs, keep, kept:
        pid = os.fork()
        if pid == 0:
            close_other_sockets(kept)
            kept.recv(1)
            os._exit(0)
        ours.close()
        theirs.settimeout(5)
        assert theirs.recv(1) == b""  # the end: nobody else has the other side
        keep.send(b"x")
        assert os.waitpid(pid, 0)[1] == 0


def test_process_dies_with_its_parent() -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        me = os.getpid()
        if os.fork() == 0:
            os.close(reader)
            die_with_parent(me)
            os.write(writer, b"r")
            signalled = os.pipe()[0]
            os.read(signalled, 1)  # for ever
        os.read(reader, 1)
        os._exit(0)
    os.close(writer)
    os.waitpid(parent, 0)
    assert os.read(reader, 2) in {b"", b"r"}
    assert os.read(reader, 1) == b""  # no writer is left
    os.close(reader)


@given(st.integers(0, 253402300799))
def test_http_dates_are_those_of_the_library(seconds: int) -> None:
    text = email.utils.formatdate(seconds, usegmt=True)
    assert parse_http_date(text) == seconds
    assert format_http_date(seconds) == text.replace("GMT", "UTC")


@given(
    st.text(max_size=40)
    | st.from_regex(r"\A[A-Z]..[,.] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\Z")
)
def test_no_text_is_a_date_in_the_distant_past(text: str) -> None:
    assert parse_http_date(text) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 30 Feb 2025 00:00:00 GMT",
        "Sun, 29 Feb 2025 00:00:00 GMT",
        "Sun, 01 Xxx 2025 00:00:00 GMT",
        "Sun, 01 Jan 2025 24:00:00 GMT",
        "Sun, 01 Jan 2025 00:00:00 UTC",
        "Sun, 01 Jan 2025 00:00:00 GMT ",
        "Sun, \u06601 Jan 2025 00:00:00 GMT",
        "Sunday, 6 Nov 94 08:49:37 GMT",
    ],
)
def test_other_texts_are_no_date(text: str) -> None:
    assert parse_http_date(text) == 0
