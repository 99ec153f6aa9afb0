"""A vendor whose commits are signed in every way, an attacker's signatures, and clients of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.formats.commit import Metadata, encode_metadata
from pyostree.sign.detached import add_signature
from pyostree.sign.engine import SecretKey, find_engine
from pyostree.sign.gpg.signer import GpgKey
from repo_lab import Result, commit, make_repo, must, ours, write_files
from sign_lab import KeyPair, make_pair

GPG = "gpg"
KINDS = (GPG, "ed25519", "spki")
GOOD, EVIL = 0, 1
_GPG_OPTIONS = {"sign-verify": "gpg-verify", "sign-verify-summary": "gpg-verify-summary"}


class Vendor:
    """A repository whose ``main`` has two commits, both signed by one key of each kind.

    Attributes:
        old, new: the commits of ``main``.
        other: that of ``other``.
    """

    def __init__(self, path: Path, home: GpgHome) -> None:
        self._home = home
        self.ring = home.run("--export", KEYS[GOOD])
        self.path = make_repo(path)
        self._tree = path.parent / "tree"
        self.old = self.commit("main", "old")
        self.new = self.commit("main", "new")
        self.other = self.commit("other", "other")

    def commit(self, branch: str, text: str, *words: str) -> str:
        """Commit to a branch and sign that."""
        write_files(self._tree, {"file": text})
        made = commit(self.path, "-b", branch, *words, f"--tree=dir={self._tree}")
        self.file(made, "commitmeta").write_bytes(self.signatures(made))
        return made

    def file(self, checksum: str, kind: str) -> Path:
        """Return the file of a loose object."""
        return self.path / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}"

    def signatures(self, checksum: str, number: int = GOOD) -> bytes:
        """Return detached metadata with a signature of each kind, by default by the good keys."""
        return encode_metadata(self.sign(self.file(checksum, "commit").read_bytes(), number))

    def sign(self, data: bytes, number: int = GOOD) -> Metadata:
        """Return a dictionary with a signature of each kind."""
        metadata: Metadata = ()
        for kind in KINDS:
            metadata = add_signature(self._key(kind, number), data, metadata)
        return metadata

    def sign_summary(self) -> None:
        """Make the summary, with a signature of each kind."""
        must(ours("summary", f"--repo={self.path}", "--update"))
        signed = encode_metadata(self.sign((self.path / "summary").read_bytes()))
        (self.path / "summary.sig").write_bytes(signed)

    def _key(self, kind: str, number: int) -> SecretKey:
        if kind == GPG:
            return GpgKey(KEYS[number], str(self._home.path))
        return find_engine(kind).parse_secret_key(make_pair(kind, number).secret)


@contextmanager
def vendor_at(path: Path) -> Iterator[Vendor]:
    """Give a vendor; the agent of GnuPG ends with it."""
    with gpg_home() as home:
        yield Vendor(path, home)


class Client:
    """A repository with the remote ``origin``; nothing is demanded of that before `demand`."""

    def __init__(self, path: Path, vendor: Vendor, url: str, mode: str = "archive") -> None:
        self.path = make_repo(path, mode)
        self._vendor = vendor
        (self.path / "origin.trustedkeys.gpg").write_bytes(vendor.ring)
        self.set(url=url, gpg_verify="false")

    def set(self, **options: str) -> None:
        """Set keys of the remote, written with underscores."""
        for key, value in options.items():
            words = ("config", f"--repo={self.path}", "set", '--group=remote "origin"')
            must(ours(*words, key.replace("_", "-"), value))

    def demand(self, *kinds: str, option: str = "sign-verify", number: int = GOOD) -> None:
        """Demand signatures of some kinds, GnuPG's always by the good key."""
        pairs: list[KeyPair] = [make_pair(kind, number) for kind in kinds if kind != GPG]
        if GPG in kinds:
            self.set(**{_GPG_OPTIONS[option]: "true"})
        for pair in pairs:
            self.set(**{f"verification-{pair.engine}-key": pair.public})
        if pairs:
            self.set(**{option: ";".join(pair.engine for pair in pairs)})

    def pull(self, *words: str) -> Result:
        """Pull ``main`` unless told otherwise."""
        options = [word for word in words if word.startswith("-")]
        refs = [word for word in words if not word.startswith("-")]
        pull = ("pull", f"--repo={self.path}", "--network-retries=0", *options, "origin")
        return ours(*pull, *(refs or ["main"]))

    def refuses(self, *words: str) -> str:
        """Return the message of a pull that must fail, after which nothing can be reached."""
        before = self.refs()
        refused = self.pull(*words)
        assert refused.status == 1, refused.out
        assert refused.err.startswith("error: ")
        assert "Traceback" not in refused.err
        assert self.refs() == before
        return refused.err.removeprefix("error: ").removesuffix("\n")

    def refs(self) -> dict[str, str]:
        """Return all refs."""
        lines = must(ours("refs", f"--repo={self.path}", "--revision")).splitlines()
        return {name: checksum for name, checksum in map(str.split, lines)}

    def commits(self) -> set[str]:
        """Return the commits that are anywhere, even in what another pull left half done."""
        return {f"{path.parent.name}{path.stem}" for path in self.path.rglob("*.commit")}

    def detached(self, checksum: str) -> bytes | None:
        """Return the detached metadata of a commit that is stored."""
        path = self.path / self._vendor.file(checksum, "commitmeta").relative_to(self._vendor.path)
        return path.read_bytes() if path.exists() else None
