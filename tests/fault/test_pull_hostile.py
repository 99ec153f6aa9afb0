"""Servers that lie, break off, hang or attack: a clear error, nothing reachable, and recovery."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Fault, Reply, ScriptedServer, scripted_server
from pyostree.errors import FetchError, OstreeError, describe
from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.dirtree import Dirtree, encode_dirtree
from pyostree.formats.file_header import FileHeader, encode_archive_header, encode_header
from pyostree.formats.framing import join_array, with_offsets
from pyostree.formats.gvariant import encode
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import Checksum
from pyostree.pull.from_remote import pull
from pyostree.pull.options import PullOptions, Wanted
from pyostree.pull.progress import PullResult
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo

IMPATIENT = PullOptions(network_retries=0, low_speed_time_s=1)
MODES = (RepoMode.ARCHIVE, RepoMode.BARE_USER)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit: small files, a symlink, a file that does not fit a buffer."""
    base = tmp_path_factory.mktemp("published")
    tree = base / "tree"
    (tree / "dir").mkdir(parents=True)
    (tree / "small").write_bytes(b"small\n" * 20)
    (tree / "dir/link").symlink_to("../small")
    noise = b"".join(hashlib.sha512(struct.pack("<I", n)).digest() for n in range(40_000))
    (tree / "dir/large").write_bytes(noise)
    repo = base / "repo"
    for command in (
        ["init", "--mode=archive"],
        [
            "commit",
            "--fsync=false",
            "-b",
            "main",
            f"--tree=dir={tree}",
            "--owner-uid=0",
            "--owner-gid=0",
        ],
        ["summary", "-u"],
    ):
        subprocess.run(
            ["/usr/bin/ostree", f"--repo={repo}", *command], check=True, capture_output=True
        )
    return repo


@pytest.fixture
def server(published: Path) -> Iterator[ScriptedServer]:
    with scripted_server(published) as running:
        yield running


class Client:
    """A repository with the remote ``origin``."""

    def __init__(self, path: Path, url: str, mode: RepoMode) -> None:
        self.path = path
        with Repo.create(path, mode) as repo:
            config = KeyFile.parse(repo.config.keyfile.format())
            config.set_raw('remote "origin"', "url", url)
            config.set_raw('remote "origin"', "gpg-verify", "false")
            config.set_raw("core", "fsync", "false")
            repo.write_config(config)

    def pull(self, options: PullOptions = IMPATIENT) -> PullResult:
        with Repo.open(self.path) as repo:
            return pull(repo, "origin", [Wanted("main")], options)

    def fails_to_pull(self, options: PullOptions = IMPATIENT) -> str:
        """Return the message of a pull that must fail, and check that it did no harm."""
        with pytest.raises((OstreeError, OSError)) as caught:
            self.pull(options)
        assert not list((self.path / "refs/remotes").rglob("main"))
        self.fsck()
        return describe(caught.value)

    def fsck(self) -> None:
        done = subprocess.run(
            ["/usr/bin/ostree", f"--repo={self.path}", "fsck", "-q"],
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr

    def recovers(self, server: ScriptedServer) -> None:
        """Check that the next pull works once the server is well."""
        server.faults.clear()
        self.pull()
        self.fsck()
        assert len(list((self.path / "objects").rglob("*.file*"))) == 3
        assert not list((self.path / "state").rglob("*.commitpartial"))


@pytest.fixture(params=MODES, ids=lambda mode: mode.value)
def client(request: pytest.FixtureRequest, tmp_path: Path, server: ScriptedServer) -> Client:
    return Client(tmp_path / "client", server.url, request.param)


def truncated(reply: Reply) -> Reply:
    return reply._replace(body=reply.body[: len(reply.body) // 2])


def empty(reply: Reply) -> Reply:
    return reply._replace(body=b"")


def flipped(reply: Reply) -> Reply:
    body = bytearray(reply.body)
    body[len(body) // 2] ^= 0x10
    return reply._replace(body=bytes(body))


def flipped_in_front(reply: Reply) -> Reply:
    body = bytearray(reply.body)
    body[9] ^= 0x40
    return reply._replace(body=bytes(body))


def html(reply: Reply) -> Reply:
    return Reply(b"<!DOCTYPE html><html><body>Please log in</body></html>\n" * 4)


def broken_off(reply: Reply) -> Reply:
    return reply._replace(body=reply.body[:-1], promised=len(reply.body))


def hanging(reply: Reply) -> Reply:
    return reply._replace(drip_s=30)


def endless(reply: Reply) -> Reply:
    return Reply(b"\0" * 65536, is_endless=True)


def forbidden(reply: Reply) -> Reply:
    return Reply(b"", 500)


KINDS = (".commit", ".dirtree", ".dirmeta", ".filez")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [truncated, empty, flipped, flipped_in_front, html])
def test_pull_spoiled_object_is_named_and_refused(
    client: Client, server: ScriptedServer, kind: str, fault: Fault
) -> None:
    server.faults[kind] = fault
    message = client.fails_to_pull()
    asked = [path.rpartition("objects/")[2] for path in server.requests if path.endswith(kind)]
    names = [path.replace("/", "").removesuffix(kind) for path in asked]
    assert any(name in message.replace("/", "") for name in names), message
    client.recovers(server)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (broken_off, "[18] "),
        (hanging, "[28] "),
        (forbidden, "Server returned HTTP 500"),
    ],
    ids=["broken-off", "hanging", "error-500"],
)
def test_pull_failing_transfer_names_the_url(
    client: Client, server: ScriptedServer, kind: str, fault: Fault, text: str
) -> None:
    server.faults[kind] = fault
    message = client.fails_to_pull()
    assert message.startswith(f"While fetching {server.url}/objects/")
    assert kind in message
    assert text in message
    client.recovers(server)


@pytest.mark.parametrize("kind", [".commit", ".dirtree", ".dirmeta", ".commitmeta"])
def test_pull_endless_metadata_stops_at_the_limit(
    client: Client, server: ScriptedServer, kind: str
) -> None:
    server.faults[kind] = endless
    message = client.fails_to_pull(IMPATIENT._replace(max_metadata_bytes=1 << 20))
    assert message.startswith(f"URI {server.url}/objects/")
    assert "exceeded maximum size of " in message
    client.recovers(server)


def test_pull_missing_object_names_the_url(client: Client, server: ScriptedServer) -> None:
    server.faults[".filez"] = lambda _: Reply(b"", 404)
    assert "Server returned HTTP 404" in client.fails_to_pull()
    client.recovers(server)


def test_pull_junk_in_place_of_detached_metadata_is_not_kept(
    client: Client, server: ScriptedServer
) -> None:
    server.faults[".commitmeta"] = html
    client.pull()
    assert [path.read_bytes() for path in client.path.rglob("*.commitmeta")] == [b""]
    client.fsck()


def test_pull_redirect_to_a_file_refused(
    client: Client, server: ScriptedServer, published: Path
) -> None:
    (victim,) = list(published.rglob("*.commit"))
    server.faults[".commit"] = lambda _: Reply(b"", 302, location=f"file://{victim}")
    client.fails_to_pull()
    client.recovers(server)


def test_pull_redirect_loop_refused(client: Client, server: ScriptedServer) -> None:
    server.faults[".commit"] = lambda _: Reply(b"", 302, location=f"{server.url}/x.commit")
    assert "[47] " in client.fails_to_pull()
    client.recovers(server)


class TestSummary:
    @pytest.mark.parametrize("fault", [truncated, html], ids=lambda f: f.__name__)
    def test_junk_refused(self, client: Client, server: ScriptedServer, fault: Fault) -> None:
        server.faults["/summary"] = fault
        client.fails_to_pull()
        client.recovers(server)

    def test_endless_stops_at_the_limit(self, client: Client, server: ScriptedServer) -> None:
        server.faults["/summary"] = endless
        assert "exceeded maximum size of 134217728 bytes" in client.fails_to_pull()

    def test_bad_ref_name_refused(self, client: Client, server: ScriptedServer) -> None:
        entry = ("../../config", (0, b"\1" * 32, ()))
        body = encode("(a(s(taya{sv}))a{sv})", ((entry,), ()))
        server.faults["/summary"] = lambda _: Reply(body)
        assert client.fails_to_pull(IMPATIENT._replace(mirror=True)) == (
            "Invalid ref name ../../config"
        )

    def test_short_checksum_refused(self, client: Client, server: ScriptedServer) -> None:
        body = encode("(a(s(taya{sv}))a{sv})", ((("main", (0, b"\1" * 31, ())),), ()))
        server.faults["/summary"] = lambda _: Reply(body)
        assert "Invalid checksum of length 31" in client.fails_to_pull()

    def test_ref_is_a_page_refused(self, client: Client, server: ScriptedServer) -> None:
        server.faults["/summary"] = lambda _: Reply(b"", 404)
        server.faults["/refs/heads/main"] = html
        assert client.fails_to_pull().startswith(
            "Fetching checksum for ref ((empty), main): Invalid rev <!DOCTYPE html>"
        )
        client.recovers(server)


class Forgery:
    """A commit made by an attacker: every checksum fits, the content is evil."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "refs/heads").mkdir(parents=True)

    def add(self, data: bytes, extension: str, checksum: Checksum | None = None) -> Checksum:
        checksum = checksum or Checksum(hashlib.sha256(data).digest())
        path = self._root / "objects" / str(checksum)[:2] / f"{str(checksum)[2:]}.{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return checksum

    def publish(self, tree: bytes) -> None:
        root_tree = self.add(tree, "dirtree")
        root_meta = self.add(encode_dirmeta(Dirmeta(0, 0, 0o40755)), "dirmeta")
        data = encode_commit(Commit((), None, (), "", "", 0, root_tree, root_meta))
        commit = self.add(data, "commit")
        (self._root / "refs/heads/main").write_text(f"{commit}\n")

    def publish_file(self, filez: bytes, checksum: Checksum) -> None:
        self.add(filez, "filez", checksum)
        self.publish(encode_dirtree(Dirtree((("file", checksum),), ())))


@pytest.fixture
def forgery(tmp_path: Path) -> Iterator[tuple[Forgery, str]]:
    root = tmp_path / "evil"
    with scripted_server(root) as running:
        yield Forgery(root), running.url


@pytest.fixture(params=MODES, ids=lambda mode: mode.value)
def victim(request: pytest.FixtureRequest, tmp_path: Path, forgery: tuple[Forgery, str]) -> Client:
    return Client(tmp_path / "victim", forgery[1], request.param)


def tree_with_name(name: bytes) -> bytes:
    """Return a dirtree with one file, whose name no encoder of ours would let pass."""
    entry = with_offsets(name + b"\0" + b"\1" * 32, [len(name) + 1])
    first = join_array([entry])
    return with_offsets(first, [len(first)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"../afile", "Invalid / in filename ../afile"),
        (b"..", "Invalid path uplink filename '..'"),
        (b".", "Invalid self-referential filename '.'"),
        (b"/etc/passwd", "Invalid / in filename /etc/passwd"),
        (b"", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_pull_evil_name_in_dirtree_refused(
    victim: Client, forgery: tuple[Forgery, str], name: bytes, text: str
) -> None:
    forgery[0].publish(tree_with_name(name))
    message = victim.fails_to_pull()
    assert ".dirtree: " in message
    assert text in message
    assert not list((victim.path / "tmp").rglob("*.dirtree"))


def test_pull_absurd_offsets_in_dirtree_refused(
    victim: Client, forgery: tuple[Forgery, str]
) -> None:
    forgery[0].publish(b"\xff" * 100_000)
    assert ".dirtree: " in victim.fails_to_pull()


def filez(content: bytes, *, size: int, header: FileHeader | None = None) -> tuple[bytes, Checksum]:
    """Return a ``.filez`` whose header promises `size` bytes, and the checksum of its content."""
    header = header or FileHeader(0, 0, 0o100644)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    checksum = Checksum(hashlib.sha256(encode_header(header) + content).digest())
    return encode_archive_header(header, size) + packed, checksum


@pytest.mark.parametrize("promised", [0, 10, (64 << 20) - 1])
def test_pull_bomb_stops_at_the_promised_size(
    victim: Client, forgery: tuple[Forgery, str], promised: int
) -> None:
    forgery[0].publish_file(*filez(bytes(64 << 20), size=promised))
    assert f"Invalid compressed data: more than {promised} bytes" in victim.fails_to_pull()


@pytest.mark.parametrize("promised", [11, 1 << 40, (1 << 64) - 1])
def test_pull_too_little_content_refused(
    victim: Client, forgery: tuple[Forgery, str], promised: int
) -> None:
    forgery[0].publish_file(*filez(bytes(10), size=promised))
    message = victim.fails_to_pull()
    assert "bytes remaining" in message or f"cannot hold {promised} bytes" in message


def test_pull_device_node_refused(victim: Client, forgery: tuple[Forgery, str]) -> None:
    data, checksum = filez(b"", size=0, header=FileHeader(0, 0, 0o60644))
    forgery[0].publish_file(data, checksum)
    assert f"Parsing {checksum}.file: Corrupted archive file; invalid mode" in (
        victim.fails_to_pull()
    )


def test_pull_trailing_junk_is_not_stored(victim: Client, forgery: tuple[Forgery, str]) -> None:
    data, checksum = filez(b"content\n", size=8)
    forgery[0].publish_file(data + b"JUNK" * 1000, checksum)
    victim.pull()
    victim.fsck()
    for stored in (victim.path / "objects").rglob("*.file*"):
        assert b"JUNK" not in stored.read_bytes()


def test_pull_setuid_refused_when_asked(victim: Client, forgery: tuple[Forgery, str]) -> None:
    data, checksum = filez(b"x", size=1, header=FileHeader(0, 0, 0o104755))
    forgery[0].publish_file(data, checksum)
    assert victim.fails_to_pull(IMPATIENT._replace(bare_user_files_only=True)) == (
        f"Content object {checksum}: invalid mode 0104755 with bits 04000"
    )


def test_pull_exponential_tree_ends(victim: Client, forgery: tuple[Forgery, str]) -> None:
    evil = forgery[0]
    meta = evil.add(encode_dirmeta(Dirmeta(0, 0, 0o40755)), "dirmeta")
    tree = encode_dirtree(Dirtree((), ()))
    for _ in range(40):  # 2 to the 40th paths, 40 objects
        below = evil.add(tree, "dirtree")
        tree = encode_dirtree(Dirtree((), (("a", below, meta), ("b", below, meta))))
    evil.publish(tree)
    victim.pull()
    victim.pull(IMPATIENT._replace(subpaths=("/a",)))


def test_pull_remote_that_demands_signatures_without_keys_refused(
    client: Client, server: ScriptedServer
) -> None:
    with Repo.open(client.path) as repo:
        config = KeyFile.parse(repo.config.keyfile.format())
        config.set_raw('remote "origin"', "sign-verify", "ed25519")
        repo.write_config(config)
    message = "No keys found for required signapi type ed25519"
    assert client.fails_to_pull() == message
    assert not server.requests
    assert not list((client.path / "tmp").glob("staging-*"))


def test_pull_from_nobody_names_the_url(tmp_path: Path) -> None:
    client = Client(tmp_path / "client", "http://127.0.0.1:1", RepoMode.BARE_USER)
    with pytest.raises(FetchError, match=r"^While fetching http://127.0.0.1:1/summary.sig: \[7\]"):
        client.pull()
