"""Summaries that somebody on the way has taken away, mixed up or kept from long ago."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.formats.commit import decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from repo_lab import Result, copy_tree, must, ours
from trust_lab import EVIL, GPG, KINDS, Client, Vendor, vendor_at
from web_lab import serving

OPTION = "sign-verify-summary"


class Published:
    """A vendor's summary, signed, and the one before it."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        vendor.sign_summary()
        self.older = self._files()
        vendor.new = vendor.commit("main", "newer")
        vendor.commit("third", "third")
        vendor.sign_summary()
        self.newer = self._files()

    def _files(self) -> tuple[bytes, bytes]:
        summary, signature = (self.vendor.path / name for name in ("summary", "summary.sig"))
        return summary.read_bytes(), signature.read_bytes()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    with vendor_at(tmp_path_factory.mktemp("vendor") / "repo") as vendor:
        yield Published(vendor)


@pytest.fixture
def server(published: Published) -> Iterator[ScriptedServer]:
    with scripted_server(published.vendor.path) as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(tmp_path: Path, published: Published, server: ScriptedServer, kind: str) -> Client:
    made = Client(tmp_path / "client", published.vendor, server.url)
    made.demand(kind, option=OPTION)
    return made


def serve(server: ScriptedServer, summary: bytes | None, signature: bytes | None) -> None:
    """Let the server have these files."""
    for name, data in (("/summary", summary), ("/summary.sig", signature)):
        reply = Reply(b"", 404) if data is None else Reply(data)
        server.faults[name] = lambda _, reply=reply: reply


def look(client: Client, what: str = "refs") -> Result:
    return ours("remote", what, f"--repo={client.path}", "origin")


def cached(client: Client) -> Path:
    return client.path / "tmp/cache/summaries/origin"


@pytest.mark.parametrize("option", ["sign-verify", OPTION])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("spki", "No keys found for required signapi type spki"),
        ("nosuch", "Requested signature type is not implemented"),
    ],
)
def test_wrong_configuration_is_told_before_a_request(
    tmp_path: Path,
    published: Published,
    server: ScriptedServer,
    option: str,
    value: str,
    message: str,
) -> None:
    client = Client(tmp_path / "client", published.vendor, server.url)
    client.set(**{option: value})
    assert client.refuses() == message
    for what in ("refs", "summary"):
        assert look(client, what).err == f"error: {message}\n"
    assert server.requests == []


# What the server has: the summary, its signatures, and what the engines say to that.
Spoil = Callable[[Published], tuple[bytes | None, bytes | None]]
LONE = r"(ed25519|spki): Signature couldn't be verified with: key '[0-9a-f]+'"
TO_DISABLE = rf"\(use {OPTION}=false in remote config to disable\)"
NO_SIGNATURE = f"Signatures verification enabled, but no summary.sig found {TO_DISABLE}"
NO_SUMMARY = f"Signatures verification enabled, but no summary found {TO_DISABLE}"
NOTHING = f"(?:){NO_SIGNATURE}"  # a pull misses the signature first
# Commands that only look have words of their own.
IN_LOOK = {
    NO_SIGNATURE: f"Signature verification enabled, but no summary signatures found {TO_DISABLE}",
    NO_SUMMARY: r"Signature verification enabled, but no summary found "
    r"\(check that the configured URL in remote config is correct\)",
}
IN_LOOK[NOTHING] = IN_LOOK[NO_SUMMARY]


def by_another(published: Published) -> tuple[bytes, bytes]:
    data = published.newer[0]
    return data, encode_metadata(published.vendor.sign(data, EVIL))


def no_entries(published: Published) -> tuple[bytes, bytes]:
    data, signature = published.newer
    lists = tuple((key, Variant("aay", ())) for key, _ in decode_metadata(signature))
    return data, encode_metadata(lists)


SPOILED: dict[str, tuple[Spoil, str]] = {
    "no signature": (lambda has: (has.newer[0], None), NO_SIGNATURE),
    "no summary": (lambda has: (None, has.newer[1]), NO_SUMMARY),
    "nothing": (lambda has: (None, None), NOTHING),
    "empty": (lambda has: (has.newer[0], b""), "No signatures found"),
    "garbage": (lambda has: (has.newer[0], b"\xff<html>"), "No signatures found"),
    "truncated": (lambda has: (has.newer[0], has.newer[1][:-20]), ".*"),
    "by another": (by_another, LONE),
    "no entries": (no_entries, "(ed25519|spki): no signatures found"),
    "old signature": (lambda has: (has.newer[0], has.older[1]), LONE),
    "old summary": (lambda has: (has.older[0], has.newer[1]), LONE),
    "one byte more": (lambda has: (has.newer[0] + b"\0", has.newer[1]), LONE),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILED.values(), ids=SPOILED)
def test_summary_without_good_signature_is_refused(
    published: Published,
    server: ScriptedServer,
    client: Client,
    kind: str,
    spoil: Spoil,
    message: str,
) -> None:
    serve(server, *spoil(published))
    refused = client.refuses()
    assert client.commits() == set()
    assert kind == GPG or re.fullmatch(message, refused), refused
    for what in ("refs", "summary"):
        looked = look(client, what)
        assert (looked.status, looked.out) == (1, "")
        text = looked.err.removeprefix("error: ").rstrip("\n")
        assert kind == GPG or re.fullmatch(IN_LOOK.get(message, message), text), text
    client.refuses("--mirror")
    assert not (client.path / "summary").exists()
    assert not cached(client).exists()
    server.faults.clear()
    must(client.pull())
    assert client.refs() == {"origin:main": published.vendor.new}
    assert "origin:third" in must(look(client))


def test_full_mirror_gets_the_summary_that_was_verified(
    published: Published, server: ScriptedServer, client: Client
) -> None:
    must(ours("pull", f"--repo={client.path}", "--mirror", "origin"))
    names = ("summary", "summary.sig")
    assert tuple((client.path / name).read_bytes() for name in names) == published.newer


def test_older_summary_with_its_own_signature_passes_as_in_the_reference(
    published: Published, server: ScriptedServer, client: Client
) -> None:
    """Only times of commits tell that somebody serves what is long gone."""
    must(client.pull())
    newer = client.refs()
    serve(server, *published.older)
    assert "origin:third" not in must(look(client))
    assert cached(client).read_bytes() == published.older[0]
    must(client.pull())
    assert client.refs() != newer
    assert client.refuses("third") == "No such branch 'third' in repository summary"
    server.faults.clear()
    must(client.pull())
    assert client.refs() == newer
    assert cached(client).read_bytes() == published.newer[0]


@pytest.mark.parametrize("which", ["origin", "origin.sig"])
def test_damaged_cache_is_fetched_again(
    tmp_path: Path, published: Published, kind: str, which: str
) -> None:
    with serving(published.vendor.path) as web:  # one that knows what a client has
        client = Client(tmp_path / "client", published.vendor, web.url)
        client.demand(kind, option=OPTION)
        must(client.pull())
        kept = [cached(client).with_name(name) for name in ("origin", "origin.sig")]
        for act in (client.pull, lambda: look(client)):
            cached(client).with_name(which).write_bytes(b"damaged")  # its version is kept with it
            web.log.clear()
            must(act())
            assert "304 /summary.sig" in " ".join(web.log)
            assert tuple(path.read_bytes() for path in kept) == published.newer


def test_what_was_cached_without_a_demand_is_verified_with_one(
    tmp_path: Path, published: Published, server: ScriptedServer, kind: str
) -> None:
    server.etag = '"1"'
    client = Client(tmp_path / "client", published.vendor, server.url)
    data = published.newer[0]
    serve(server, data, encode_metadata(published.vendor.sign(data, EVIL)))
    must(client.pull())
    assert cached(client).exists()
    client.demand(kind, option=OPTION)
    client.refuses()
    assert look(client).status == 1
    server.faults.clear()
    must(client.pull("third"))


def test_summary_that_a_metalink_vouches_for_is_verified(
    published: Published, server: ScriptedServer, client: Client
) -> None:
    def vouch(*files: bytes) -> None:
        serve(server, *files)
        text = "".join(
            f'<file name="{name}"><size>{len(data)}</size><verification><hash type="sha256">'
            f"{hashlib.sha256(data).hexdigest()}</hash></verification><resources>"
            '<url protocol="http" type="http" location="X" preference="1">'
            f"{server.url}/{name}</url></resources></file>"
            for name, data in zip(("summary", "summary.sig"), files, strict=True)
        )
        text = f'<metalink version="3.0"><files>{text}</files></metalink>'
        server.faults["/metalink.xml"] = lambda _: Reply(text.encode())

    client.set(metalink=f"{server.url}/metalink.xml")
    vouch(*by_another(published))
    client.refuses()
    assert look(client).status == 1
    vouch(*published.newer)
    must(client.pull())
    assert "origin:third" in must(look(client))


def test_summary_of_a_local_source_is_verified(
    tmp_path: Path, published: Published, kind: str
) -> None:
    source = copy_tree(published.vendor.path, tmp_path / "source")
    client = Client(tmp_path / "client", published.vendor, f"file://{source}")
    client.demand(kind, option=OPTION)
    must(client.pull("third"))
    for name, data in zip(("summary", "summary.sig"), by_another(published), strict=True):
        (source / name).write_bytes(data)
    client.refuses()
    (source / "summary.sig").unlink()
    client.refuses()
    (source / "summary").unlink()
    client.refuses()
    assert list(client.refs()) == ["origin:third"]
