"""One published commit with signatures of every kind, and devices that trust in every way."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from gpg_lab import FINGERPRINT, KEYS, GpgHome, gpg_home
from pyostree.formats.commit import encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.sign import trust
from pyostree.sign.engine import find_engine
from repo_lab import (
    Command,
    Result,
    commit,
    link_tree,
    make_repo,
    must,
    ours,
    write_files,
)
from sign_lab import DUMMY_ENVIRONMENT, KeyPair, ed25519_pair, spki_pair
from sysroot_lab import OS_FILES, install_bootloader
from web_lab import Web, serving

REF = "main"
COLLECTION = "org.example.Os"
GPG_LIST = "ostree.gpgsigs"
# Detached metadata that is no dictionary of signatures, by the word that stands for it.
_ODD = {"zero": b"", "rubbish": b"\xff" * 16}
# Keys of engines: the name of the engine, and what tells two keys of the same apart.
_PAIRS: Mapping[str, KeyPair] = {
    "ed25519": ed25519_pair(0),
    "ed25519-b": ed25519_pair(1),
    "spki": spki_pair("ed25519", 2),
    "spki-b": spki_pair("ed25519", 3),
    "spki-ec": spki_pair("p256"),
}
_LONG_AGO = "--faked-system-time=20200101T000000!"


class Case(NamedTuple):
    """What a device is configured for, what a server has, and what the device is told to do.

    Attributes:
        commit: signatures of the commit (see `Vendor.sign`); empty: no detached metadata.
        summary: those of the summary; empty: no ``summary.sig``; None: no summary either.
        settings: lines of the remote's group in the configuration.
        ring: keys in the keyring of the remote, names of `Vendor.rings`.
        trusted: of `Vendor.rings`, what is in the global directory.
        files: what lies in the device's directory, which stands as ``{dir}`` in settings.
        system: names and contents of files below ``/etc/ostree``.
        env: environment variables.
        words: the command line.
        before: changes the device, or makes it do something, first.
        delta: a static delta from nothing to the commit is published, too.
        delta_options: how it is made.
        private: `before` may change what the server has.
        collection: the repository belongs to `COLLECTION`.
        sysroot: the device has a root file system with a stateroot ``testos``.
        is_sound: nothing is wrong with the commit, even if it is refused.
        is_summary_sound: the same of the summary.
        alike: whether the C implementation decides the same (it has neither ed25519 nor spki).
        alike_text: whether it also says the same.
    """

    commit: str = ""
    summary: str | None = ""
    settings: str = ""
    ring: str = ""
    trusted: str = ""
    files: Mapping[str, str] = {}
    system: Mapping[str, str] = {}
    env: Mapping[str, str] = {}
    words: str = "pull origin main"
    before: Callable[[Device], object] = lambda device: None
    delta: bool = False
    delta_options: str = ""
    private: bool = False
    sysroot: bool = False
    collection: bool = False
    is_sound: bool = False
    is_summary_sound: bool = False
    alike: bool = True
    alike_text: bool = True


class Vendor:
    """Who signs and publishes.

    Attributes:
        base: a repository with all that is published, unsigned.
        checksum: the commit that is published; `earlier` is its parent.
        rings: keyrings by their names.
        url: of the server.
        requests: what it was asked for.
    """

    def __init__(
        self, root: Path, keys: GpgHome, rings: Mapping[str, bytes], web: Web, **settings: str
    ) -> None:
        self.root, self.keys, self.rings = root, keys, rings
        self.url, self.requests = f"{web.url}/{root.name}/web", web.log
        self.web = root / "web"
        self.web.mkdir(parents=True)
        self.base = make_repo(root / "base", **settings)
        tree = write_files(root / "tree", OS_FILES)
        self.earlier = commit(self.base, "-b", REF, f"--tree=dir={tree}")
        write_files(tree, {"usr/share/new": "two\n"})
        self.checksum = commit(self.base, "-b", REF, f"--tree=dir={tree}")
        must(ours("summary", "-u", f"--repo={self.base}"))
        self._signed: dict[tuple[str, bytes], bytes] = {}

    def path(self, checksum: str, kind: str) -> Path:
        return self.base / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}"

    def sign(self, word: str, data: bytes) -> tuple[str, bytes]:
        """Return a signature and under which key of the dictionary it goes.

        Args:
            word: ``KEY`` or ``KEY:HOW``. Keys are those of `_secret`; how is ``replayed``, made
                for something else; ``cut``, without its last bytes; ``expired``; ``weak``.
        """
        key, _, how = word.partition(":")
        if how == "replayed":
            data = self.path(self.earlier, "commit").read_bytes()
        name = GPG_LIST if key.startswith("gpg") else f"ostree.sign.{key.partition('-')[0]}"
        if (word, data) not in self._signed:
            signed = self._gpg(key, how, data) if name == GPG_LIST else _engine_sign(key, data)
            self._signed[word, data] = signed[:-1] if how == "cut" else signed
        return name, self._signed[word, data]

    def _gpg(self, key: str, how: str, data: bytes) -> bytes:
        if key == "gpg":
            return b"garbage"
        more = {
            "expired": (_LONG_AGO, "--default-sig-expire=1"),
            "weak": ("--digest-algo=MD5", "--allow-weak-digest-algos"),
        }.get(how, ())
        who = KEYS[int(key.removeprefix("gpg")) - 1]
        return self.keys.run(*more, f"--local-user={who}", "--detach-sign", stdin=data)

    def dictionary(self, words: str, data: bytes) -> bytes:
        """Return detached metadata, or a ``summary.sig``, with the signatures that are named."""
        if words in _ODD:
            return _ODD[words]
        lists: dict[str, list[bytes]] = {}
        for word in words.split():
            if word.startswith("empty-"):
                lists[f"ostree.sign.{word[6:]}" if word != "empty-gpg" else GPG_LIST] = []
                continue
            name, signature = self.sign(word, data)
            lists.setdefault(name, []).append(signature)
        return encode_metadata(
            tuple((name, Variant("aay", tuple(found))) for name, found in lists.items())
        )

    def publish(self, case: Case, own: str) -> Path:
        """Return a repository on the server; made once for all cases alike, or for `own` alone."""
        signatures, summary = case.commit, case.summary
        kind = f"{signatures}--{summary}--{case.delta}--{case.delta_options}"
        name = re.sub("[^A-Za-z0-9+-]", "_", kind.replace(" ", "+"))
        target = self.web / (own if case.private else name)
        if target.exists():
            return target
        link_tree(self.base, target)
        if signatures:
            data = self.path(self.checksum, "commit").read_bytes()
            detached = self.path(self.checksum, "commitmeta")
            (target / detached.relative_to(self.base)).write_bytes(
                self.dictionary(signatures, data)
            )
        if case.delta:
            self.add_delta(target, case.delta_options)
            must(ours("summary", "-u", f"--repo={target}"))
        if summary is None:
            (target / "summary").unlink()
        elif summary:
            data = (target / "summary").read_bytes()
            (target / "summary.sig").write_bytes(self.dictionary(summary, data))
        return target

    def add_delta(self, repo: Path, options: str = "") -> None:
        options = options.replace("{ed25519-secret}", _PAIRS["ed25519"].secret)
        words = (f"--repo={repo}", "--empty", f"--to={REF}", *options.split())
        with mock.patch.dict(os.environ, DUMMY_ENVIRONMENT):
            must(ours("static-delta", "generate", *words))


class Device:
    """A repository with the remote ``origin``, in a directory of its own.

    Attributes:
        checksum: the commit that it is to get.
    """

    def __init__(self, vendor: Vendor, root: Path, case: Case, command: Command) -> None:
        self.vendor, self.root, self.case, self.command = vendor, root, case, command
        self.checksum = vendor.checksum
        root.mkdir()
        self.repo = root / "repo"
        if case.sysroot:
            self._make_sysroot(root / "sysroot")
        else:
            make_repo(self.repo, "bare-user")
        self.published = vendor.publish(case, f"{root.parent.name}-{root.name}")
        self.url = f"{vendor.url}/{self.published.name}"
        for name, text in case.files.items():
            self.write(root / name, text)
        for name, text in case.system.items():
            self.write(root / "etc" / name, text)
        self.configure("origin", f"url={self.url}\n{case.settings}")
        if case.ring:
            self.write(self.repo / "origin.trustedkeys.gpg", case.ring)
        self.write(root / "trusted/none.gpg", "none")
        if case.trusted:
            self.write(root / "trusted/some.gpg", case.trusted)

    def _make_sysroot(self, sysroot: Path) -> None:
        sysroot.mkdir()
        must(ours("admin", "init-fs", sysroot))
        must(ours("admin", "os-init", f"--sysroot={sysroot}", "testos"))
        install_bootloader(sysroot, "uboot")
        self.repo.symlink_to("sysroot/ostree/repo")

    def make_parent(self) -> Path:
        """Give the repository a parent."""
        parent = make_repo(self.root / "parent", "bare-user")
        text = (self.repo / "config").read_text()
        (self.repo / "config").write_text(text.replace("[core]", f"[core]\nparent={parent}"))
        return parent

    def object(self, kind: str) -> Path:
        """Return where the commit, or its detached metadata, is published."""
        return self.published / f"objects/{self.checksum[:2]}/{self.checksum[2:]}.{kind}"

    def have(self) -> None:
        """Get the commit, as a local branch, by a way on which nobody asks for signatures."""
        self.prepare("pull-local {published} main")

    def add_delta(self) -> None:
        """Publish a static delta; the summary stays."""
        self.vendor.add_delta(self.published)

    def resign(self, signatures: str) -> None:
        """Publish the commit with other signatures; empty: with no detached metadata."""
        path = self.object("commitmeta")
        path.unlink()
        if signatures:
            path.write_bytes(self.vendor.dictionary(signatures, self.object("commit").read_bytes()))

    def summary(self) -> dict[str, bytes]:
        """Return the published summary with its signatures."""
        return {name: (self.published / name).read_bytes() for name in ("summary", "summary.sig")}

    def replace_summary(self, files: Mapping[str, bytes]) -> None:
        """Publish another summary."""
        for name, data in files.items():
            self.republish(name, data)

    def republish(self, name: str, data: bytes) -> None:
        """Have other content in a published file, which may be a link to what others share."""
        assert self.case.private
        (self.published / name).unlink(missing_ok=True)
        (self.published / name).write_bytes(data)

    def publish_newer(self) -> None:
        """Publish one more commit, with a summary that is signed as the one before."""
        later = "--timestamp=@1800000000"
        repo = f"--repo={self.published}"
        must(ours("commit", repo, later, "-b", REF, "--tree=ref=main"))
        must(ours("summary", "-u", repo))
        data = (self.published / "summary").read_bytes()
        signatures = self.vendor.dictionary(self.case.summary or "", data)
        self.replace_summary({"summary.sig": signatures})

    def write(self, path: Path, content: str) -> None:
        """Write a file; its content is a text or names of keyrings."""
        path.parent.mkdir(parents=True, exist_ok=True)
        names = content.split("+")
        if all(name in self.vendor.rings for name in names):
            path.write_bytes(b"".join(self.vendor.rings[name] for name in names))
        else:
            path.write_text(self.fill(content))

    def configure(self, remote: str, settings: str, repo: Path | None = None) -> None:
        """Add a remote, to the device's repository if no other is given."""
        lines = "\n".join(line.strip() for line in settings.strip().splitlines())
        with ((repo or self.repo) / "config").open("a") as config:
            config.write(f'\n[remote "{remote}"]\n{self.fill(lines)}\n')

    def fill(self, text: str) -> str:
        """Put in what only is known now."""
        known = {
            "{dir}": str(self.root),
            "{commit}": self.vendor.checksum,
            "{earlier}": self.vendor.earlier,
            "{delta}": delta_name(self.vendor.checksum),
            "{url}": self.url,
            "{published}": str(self.published),
            **key_texts(),
        }
        for name, value in known.items():
            text = text.replace(name, value)
        return text

    def environment(self) -> dict[str, str]:
        """Return what the command has in its environment beside what it always has."""
        env = {
            "OSTREE_GPG_HOME": str(self.root / "trusted"),
            "OSTREE_SYSROOT_DEBUG": "mutable-deployments",
            **self.case.env,
        }
        return {name: self.fill(value) for name, value in env.items()}

    def run(self) -> Result:
        """Run the command line of the case."""
        return self._run(self.command, self.case.words)

    def must(self, words: str) -> str:
        """Run another first, by the same command."""
        return must(self._run(self.command, words))

    def prepare(self, words: str) -> str:
        """Run what no signature is asked for, by our command, which is the quicker one."""
        return must(self._run(ours, words))

    def _run(self, command: Command, words: str) -> Result:
        verb, *others = self.fill(words).split(" ")
        where = [f"--repo={self.repo}"]
        if verb == "admin":
            where = [others.pop(0), f"--sysroot={self.root}/sysroot"]
        with mock.patch.object(trust, "SYSTEM_DIRS", self._system_dirs()):
            result = command(verb, *where, *others)
        return result._replace(err=result.err.replace(f"{self.root}/etc", "/etc/ostree"))

    def _system_dirs(self) -> tuple[str, ...]:
        """Return where our command looks for keys; that these are the real ones is for others."""
        etc, *others = trust.SYSTEM_DIRS
        return (str(self.root / "etc") if self.case.system else etc, *others)


# -- keys of engines ---------------------------------------------------------------------


def key_texts() -> dict[str, str]:
    """Return public keys as configurations and files have them, and as messages name them."""
    texts = {f"{{{name}}}": pair.public for name, pair in _PAIRS.items()}
    texts |= {f"{{{name}-file}}": pair.public_file for name, pair in _PAIRS.items()}
    return texts


def key_in_messages(name: str) -> str:
    """Return how a message names a public key."""
    return _PAIRS[name].public_bytes.hex()


def _engine_sign(name: str, data: bytes) -> bytes:
    engine, _, _ = name.partition("-")
    if engine == "dummy":
        return name.encode()
    return find_engine(engine).parse_secret_key(_PAIRS[name].secret).sign(data)


@contextmanager
def vendors(root: Path) -> Iterator[dict[bool, Vendor]]:
    """Give what is published, and a server that has it: without a collection, and of one."""
    with gpg_home() as keys, serving(root) as web:
        rings = _make_rings(keys)
        yield {
            False: Vendor(root / "plain", keys, rings, web),
            True: Vendor(root / "ids", keys, rings, web, collection_id=COLLECTION),
        }


def _make_rings(keys: GpgHome) -> dict[str, bytes]:
    rings = {f"gpg{n + 1}": keys.run("--export", key) for n, key in enumerate(KEYS)}
    rings |= {"none": b"", "gpg1-armored": keys.run("--armor", "--export", KEYS[0])}
    for name, arguments in {
        "gpg1-expired": ("--quick-set-expire", FINGERPRINT, "seconds=3600"),
        "gpg1-revoked": ("--import", str(keys.path / "revocations/key1.rev")),
    }.items():
        with gpg_home() as other:
            other.run(_LONG_AGO, *arguments)
            rings[name] = other.run("--export", KEYS[0])
    return rings


def delta_name(checksum: str) -> str:
    """Return where a delta from nothing is, below ``deltas``."""
    name = b64encode(bytes.fromhex(checksum)).decode().rstrip("=").replace("/", "_")
    return f"{name[:2]}/{name[2:]}"
