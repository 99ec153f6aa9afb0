"""A commit with two OpenPGP signatures, and keys in whatever place keys may be."""

from __future__ import annotations

from pathlib import Path

from gpg_lab import KEYS, GpgHome
from pyostree.formats.commit import decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.sign.gpg.detached import gpg_signatures
from repo_lab import (
    commit,
    make_repo,
    must,
    ours,
    write_files,
)


class Place:
    """A commit signed by the first two keys, in a repository with the remotes ``o`` and ``p``.

    Attributes:
        ring: files with a key each, binary; `armored` in ASCII.
    """

    def __init__(self, path: Path, keys: GpgHome, checksum: str) -> None:
        self.path = path
        self.keys = keys
        self.repo = path / "repo"
        self.commit = checksum
        self.data = self.file("commit").read_bytes()
        self.signatures = self.read_signatures()
        self.ring = [path / f"ring{number}" for number in range(3)]
        self.armored = [keys.armored(number) for number in range(3)]
        self.secret = path / "secret"
        self.global_dir = path / "global"

    def file(self, kind: str) -> Path:
        return self.repo / f"objects/{self.commit[:2]}/{self.commit[2:]}.{kind}"

    def sign(self, key: str, *words: str, data: bytes = b"") -> bytes:
        words = (f"--local-user={key}", *words, "--detach-sign")
        return self.keys.run(*words, stdin=data or self.data)

    def set_signatures(self, *signatures: bytes) -> None:
        pairs = (("ostree.gpgsigs", Variant("aay", signatures)),)
        self.file("commitmeta").write_bytes(encode_metadata(pairs))

    def read_signatures(self) -> list[bytes]:
        metadata = decode_metadata(self.file("commitmeta").read_bytes())
        return list(gpg_signatures(metadata) or ())

    def trust(self, name: str, *rings: Path) -> None:
        """Put a keyring into the repository."""
        (self.repo / name).write_bytes(b"".join(ring.read_bytes() for ring in rings))

    def trust_globally(self, *rings: Path) -> None:
        self.global_dir.mkdir(exist_ok=True)
        (self.global_dir / "keys.gpg").write_bytes(b"".join(ring.read_bytes() for ring in rings))

    def set_key_path(self, value: object) -> None:
        config = (self.repo / "config").read_text()
        group = '[remote "o"]\n'
        (self.repo / "config").write_text(config.replace(group, f"{group}gpgkeypath={value}\n"))

    def set_parent(self, *settings: str) -> Path:
        parent = make_repo(self.path / "parent")
        must(ours("remote", "add", f"--repo={parent}", *settings, "o", "http://example.com"))
        must(ours("config", f"--repo={self.repo}", "set", "core.parent", str(parent)))
        return parent


def make_place(path: Path, keys: GpgHome) -> Place:
    """Make what tests have copies of."""
    tree = write_files(path / "tree", {"a": "a\n"})
    repo = make_repo(path / "repo")
    made = commit(repo, "-b", "main", *keys.options(*KEYS[:2]), f"--tree=dir={tree}")
    for name in "op":
        must(ours("remote", "add", f"--repo={repo}", name, "http://example.com"))
    for number, key in enumerate(KEYS):
        (path / f"ring{number}").write_bytes(keys.run("--export", key))
    (path / "secret").write_bytes(keys.run("--export-secret-keys", KEYS[0]))
    return Place(path, keys, made)
