"""What a device takes by ``admin upgrade`` and ``switch``, and what ``admin status`` says of it.

Each case is run by both commands on copies of one sysroot, as far as the installed reference has
the engine; ``status`` is compared with what newer releases print.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.formats.objects import loose_path, parse_checksum
from repo_lab import REFERENCE, Command, Result, must, ours, run_process
from sign_lab import KeyPair, dummy_pair, ed25519_pair
from sysroot_lab import Lab, scratch

KINDS = ("gpg", "dummy", "ed25519")
PAIRS = {"dummy": dummy_pair, "ed25519": ed25519_pair}
ENVIRONMENT = {
    "OSTREE_SYSROOT_OPTS": "bootloader-naming-1",
    "OSTREE_SYSROOT_DEBUG": "mutable-deployments",
    "OSTREE_DUMMY_SIGN_ENABLED": "1",
    "LC_ALL": "C",
}


class Field(NamedTuple):
    """A vendor's repository, and one sysroot for each kind of key that runs its first commit.

    Attributes:
        commits: checksums by name; all but ``unsigned``, ``replayed`` and ``strange`` are signed by
            the first key of each kind, the last by the second ones.
    """

    lab: Lab
    keys: GpgHome
    commits: dict[str, str]

    def publish(self, name: str, branch: str = "main") -> None:
        (self.lab.repo / "refs/heads" / branch).write_text(self.commits[name] + "\n")

    def meta(self, name: str) -> Path:
        """Return the file of a commit's detached metadata."""
        return self.lab.repo / "objects" / loose_path(self._checksum(name), "commitmeta")

    def _checksum(self, name: str) -> bytes:
        return parse_checksum(self.commits[name])


class Device:
    """A copy of a sysroot with the command that it is maintained with."""

    def __init__(self, field: Field, kind: str, path: Path, command: Command) -> None:
        self.field, self.kind, self.path, self.command = field, kind, path, command
        self.repo = path / "ostree/repo"

    def run(self, words: str) -> Result:
        """Run an ``admin`` command; names of commits in braces are their checksums."""
        word, *others = words.format_map(self.field.commits).split()
        options = () if word == "status" else ("--os=testos",)
        return neutral(self.command("admin", word, f"--sysroot={self.path}", *options, *others))

    def change(self, *words: str | Path) -> None:
        """Run a command on the repository."""
        must(ours(*words[:2], f"--repo={self.repo}", *words[2:]))

    def set(self, key: str, value: str | None) -> None:
        """Change the configuration of the remote."""
        words = ("unset", key) if value is None else ("set", key, value)
        must(ours("config", f"--repo={self.repo}", '--group=remote "os"', *words))

    def state(self) -> dict[str, str]:
        """Return refs, deployments and what boots."""
        refs = self.repo / "refs"
        found = {
            str(path.relative_to(self.path)): path.read_text()
            for path in refs.rglob("*")
            if path.is_file()
        }
        deployments = self.path / "ostree/deploy/testos/deploy"
        found["deployments"] = " ".join(sorted(path.name for path in deployments.iterdir()))
        found["boot"] = (self.path / "boot/loader").readlink().name
        return found

    def readable(self, name: str) -> bool:
        """Tell whether a commit is in the repository."""
        return ours("ls", f"--repo={self.repo}", self.field.commits[name]).status == 0


def neutral(result: Result) -> Result:
    """Leave out what only the older release says, and what changes with each run."""
    out = re.sub(r"(?m)^(Freed objects|Copying /etc|Receiving|\d+ metadata).*\n", "", result.out)
    err = re.sub(r"made .* using", "made <then> using", result.err)
    return Result(result.status, out, re.sub("(?m)^(Key expired ).*", r"\1<then>", err))


def sign(field: Field, name: str, number: int) -> None:
    """Sign a commit with a key of each kind."""
    lab, checksum = field.lab, field.commits[name]
    home = f"--gpg-homedir={field.keys.path}"
    must(ours("gpg-sign", f"--repo={lab.repo}", home, checksum, KEYS[number]))
    for kind, make in PAIRS.items():
        pair = make(number)
        must(ours("sign", f"--repo={lab.repo}", f"--sign-type={kind}", checksum, pair.secret))


@pytest.fixture(scope="module")
def field(reference: Path) -> Iterator[Field]:
    with pytest.MonkeyPatch.context() as patch, scratch() as place, gpg_home() as keys:
        for key, value in ENVIRONMENT.items():
            patch.setenv(key, value)
        lab = Lab(place, reference)
        made = Field(lab, keys, {})
        names = ("first", "good", "unsigned", "strange", "replayed", "other", "ending")
        for name in names:
            lab.write_tree({"usr/share/name": name})
            words = ("--add-metadata-string=ostree.endoflife-rebase=other",)
            made.commits[name] = must(
                ours(
                    "commit", f"--repo={lab.repo}", "--branch=main", "--parent=none",
                    "--no-bindings",
                    f"--timestamp=2024-01-01 00:00:{names.index(name):02} +0000",
                    *(words if name == "ending" else ()), lab.tree,
                )
            )  # fmt: skip
        for name in ("first", "good", "other", "ending"):
            sign(made, name, 0)
        sign(made, "strange", 1)
        shutil.copy(made.meta("first"), made.meta("replayed"))
        made.publish("first")
        for kind in KINDS:
            _install(made, kind)
        yield made


def _install(field: Field, kind: str) -> None:
    path = field.lab.make_sysroot(kind, Path(REFERENCE))
    repo = f"--repo={path}/ostree/repo"
    keys = ["--gpg-import", str(field.keys.armored(0))]
    if kind != "gpg":
        keys = ["--no-gpg-verify", f"--sign-verify={kind}=inline:{PAIRS[kind](0).public}"]
    must(ours("remote", "add", repo, *keys, "os", f"file://{field.lab.repo}"))
    must(ours("pull", repo, "os", "main"))
    must(ours("admin", "deploy", f"--sysroot={path}", "--os=testos", "os:main"))


def devices(field: Field, kind: str) -> Iterator[Device]:
    """Give fresh devices, ours first."""
    commands: list[Command] = [ours]
    if kind != "ed25519":
        commands.append(lambda *words: run_process(REFERENCE, *words))
    for command in commands:
        work = field.lab.root / "work"
        if work.exists():
            shutil.rmtree(work)
        subprocess.run(["cp", "-a", field.lab.root / kind, work], check=True)
        yield Device(field, kind, work, command)


# -- upgrades ------------------------------------------------------------------------------------


def stored(device: Device) -> None:
    """Someone has stored the newest commit unverified."""
    repo = f"--repo={device.repo}"
    must(ours("pull-local", repo, "--remote=os", device.field.lab.repo, "main"))


def deployed(device: Device) -> None:
    """It runs already."""
    stored(device)
    assert device.run("deploy os:main").status == 0


def forget_keys(device: Device) -> None:
    """The keys are gone."""
    if device.kind == "gpg":
        (device.repo / "os.trustedkeys.gpg").unlink()
    else:
        device.set(f"verification-{device.kind}-key", None)


def publish_other(name: str) -> Callable[[Device], None]:
    """There is another branch, too."""
    return lambda device: device.field.publish(name, "other")


def strip(device: Device) -> None:
    """The server has lost the signatures of the commit that runs."""
    device.field.meta("first").rename(device.field.lab.root / "stripped")


UNSIGNED = {
    "gpg": "Commit {}: GPG verification enabled, but no signatures found (use gpg-verify=false in "
    "remote config to disable)",
    "dummy": "Can't verify commit {}: signature: dummy: commit have no signatures of my type",
    "ed25519": "Can't verify commit {}: ed25519: commit have no signatures of my type",
}
STRANGE = {
    "gpg": f"Commit {{}}: Signature made <then> using RSA key ID {KEYS[1]}\n"
    "Can't check signature: public key not found",
    "dummy": "Can't verify commit {}: signature: dummy: incorrect signatures found: 1",
    "ed25519": "Can't verify commit {}: ed25519: Signature couldn't be verified with: key "
    f"'{ed25519_pair(0).public_bytes.hex()}'",
}
REPLAYED = STRANGE | {
    "gpg": "Commit {}: Signature made <then> using [unknown name] key ID "
    f'{KEYS[0]}\nBAD signature from "Ostree Tester <test@test.com>"\nPrimary key ID {KEYS[0]}',
}
KEYLESS = {
    "gpg": f"Commit {{}}: Signature made <then> using RSA key ID {KEYS[0]}\n"
    "Can't check signature: public key not found",
    "dummy": "No keys found for required signapi type dummy",
    "ed25519": "No keys found for required signapi type ed25519",
}
UNKNOWN = dict.fromkeys(KINDS, "Requested signature type is not implemented")
GONE = dict.fromkeys(KINDS, 'Remote "os" not found')


REPLAY = "signature of another commit"


class Case(NamedTuple):
    """What is on the server, what happened before, what is done, and how it is refused.

    Attributes:
        deployed: the commit that is deployed in the end.
    """

    published: str
    words: str
    refused: dict[str, str] | None = None
    before: Callable[[Device], object] = lambda device: None
    deployed: str = "first"


CASES = {
    "signed": Case("good", "upgrade", deployed="good"),
    "unsigned": Case("unsigned", "upgrade", UNSIGNED),
    "by a stranger": Case("strange", "upgrade", STRANGE),
    REPLAY: Case("replayed", "upgrade", REPLAYED),
    "unsigned, downgrades allowed": Case("unsigned", "upgrade --allow-downgrade", UNSIGNED),
    "unsigned, only pulled": Case("unsigned", "upgrade --pull-only", UNSIGNED),
    "unsigned, not pulled": Case("unsigned", "upgrade --deploy-only"),
    "unsigned, stored": Case("unsigned", "upgrade", UNSIGNED, stored),
    "unsigned, deployed": Case("unsigned", "upgrade", UNSIGNED, deployed, "unsigned"),
    # Verified is what is pulled: who writes to the repository decides about the rest.
    "unsigned, stored, not pulled": Case(
        "unsigned", "upgrade --deploy-only", None, stored, "unsigned"
    ),
    "unsigned, stored, by name": Case("unsigned", "deploy os:main", None, stored, "unsigned"),
    "unsigned, chosen": Case("good", "upgrade --override-commit={unsigned}", UNSIGNED),
    "signed, chosen": Case("unsigned", "upgrade --override-commit={good}", deployed="good"),
    "no key any more": Case("good", "upgrade", KEYLESS, forget_keys),
    "no key any more, nothing new": Case("first", "upgrade", KEYLESS, forget_keys),
    "unknown engine": Case(
        "good", "upgrade", UNKNOWN, lambda device: device.set("sign-verify", "rot13")
    ),
    "no remote any more": Case(
        "good", "upgrade", GONE, lambda device: device.change("remote", "delete", "os")
    ),
    "other branch unsigned": Case("good", "switch other", UNSIGNED, publish_other("unsigned")),
    "other branch": Case("good", "switch other", None, publish_other("other"), "other"),
    "successor unsigned": Case("ending", "upgrade", UNSIGNED, publish_other("unsigned")),
    "signatures lost at the server": Case("first", "upgrade", None, strip),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, field: Field) -> Iterator[None]:
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    yield
    stripped = field.lab.root / "stripped"
    if stripped.exists():
        stripped.rename(field.meta("first"))


@pytest.mark.parametrize(
    ("kind", "name"),
    # Keys of the dummy engine sign everything at once.
    [(kind, name) for kind in KINDS for name in CASES if (kind, name) != ("dummy", REPLAY)],
)
def test_only_what_is_signed_well_is_pulled_and_deployed(
    field: Field, kind: str, name: str
) -> None:
    case, found = CASES[name], []
    for device in devices(field, kind):
        field.publish(case.published)
        case.before(device)
        before = device.state()
        result = device.run(case.words)
        after = device.state()
        found.append((result, after))
        if case.refused is not None:
            checksum = field.commits[_refused(case)]
            assert result.err == f"error: {case.refused[kind].format(checksum)}\n"
            assert result.status == 1
            if case.published != "ending":  # its last commit is as good as any
                assert after == before
        else:
            assert result.status == 0, result.err
        newest = sorted((device.path / "ostree/deploy/testos/deploy").glob("*.origin"))
        assert any(path.name.startswith(field.commits[case.deployed]) for path in newest)
        assert len(newest) == 1 + (case.deployed != "first")
        was_stored = case.before in (stored, deployed)
        if case.refused in (UNSIGNED, STRANGE, REPLAYED) and not was_stored:
            assert not device.readable(_refused(case))
        if case.before is strip:  # the next device must find them
            (field.lab.root / "stripped").rename(field.meta("first"))
    assert all(one == found[0] for one in found[1:])


def _refused(case: Case) -> str:
    """Return the commit that the error is about."""
    is_other = any(word in case.words for word in ("other", "{unsigned}"))
    return "unsigned" if is_other or case.published == "ending" else case.published


@pytest.mark.parametrize("event", ["revoked", "expired"])
def test_key_that_has_ended_since_counts_no_more(field: Field, event: str, tmp_path: Path) -> None:
    texts = {
        "revoked": "Key revoked",
        "expired": 'BAD signature from "Ostree Tester <test@test.com>"\nKey expired <then>',
    }
    with gpg_home() as home:
        home.revoke_first() if event == "revoked" else home.expire_first()
        ended = tmp_path / "ended.gpg"
        ended.write_bytes(home.run("--export", KEYS[0]))
    found = []
    for device in devices(field, "gpg"):
        device.change("remote", "gpg-import", "os", "-k", ended)
        before = device.state()
        for published in ("good", "first"):
            field.publish(published)
            found.append(device.run("upgrade"))
        assert device.state() == before
    made = f"Signature made <then> using RSA key ID {KEYS[0]}\n{texts[event]}"
    expected = [field.commits[published] for published in ("good", "first")] * 2
    assert [one.err for one in found] == [f"error: Commit {one}: {made}\n" for one in expected]
    assert found[:2] == found[2:]


# -- status --------------------------------------------------------------------------------------

GOOD = 'Good signature from "Ostree Tester <test@test.com>"'
MADE = "Signature made <then> using RSA key ID {}"
FIRST, SECOND = (MADE.format(key) for key in KEYS[:2])
MISSING = "Can't check signature: public key not found"
NO_GPG = UNSIGNED["gpg"].removeprefix("Commit {}: ")
ED25519 = ed25519_pair(0).said
REMOTES = {
    "gpg": [],
    "gpg2": [],
    "dummy": ["gpg-verify=false", "sign-verify=dummy"],
    "ed25519": ["gpg-verify=false", "sign-verify=ed25519"],
    "both": ["sign-verify=ed25519"],
    "either": ["gpg-verify=false", "sign-verify=true"],
    "two": ["gpg-verify=false", "sign-verify=spki,dummy", "verification-spki-key=AAAA"],
    "keyless": ["gpg-verify=false", "sign-verify=spki"],
    "unknown": ["gpg-verify=false", "sign-verify=rot13"],
    "none": ["gpg-verify=false"],
}


def gpg_lines(*lines: str, prefix: str = "    GPG: ") -> str:
    return "".join(f"{prefix}{line}\n" for line in lines)


def verified(*lines: str) -> str:
    return gpg_lines(*lines, prefix="GPG: ") + "\n"


def failed(text: str) -> str:
    return f"error: {text}\n"


DUMMY_BAD = "Can't verify commit: signature: dummy: incorrect signatures found: 1"
ED_BAD = STRANGE["ed25519"].replace(" {}", "")
NONE = (
    "Cannot verify commit for remote none; GPG verification disabled, and no signapi verifiers "
    "configured"
)
NO_META = "Can't verify commit without detached metadata"
DUMMY_SAID = "dummy: Signature verified\n"
# commit, remote: what status prints after the block of the deployment, and with --verify.
SHOWN = {
    ("good", "gpg"): (gpg_lines(FIRST, GOOD), verified(FIRST, GOOD)),
    ("good", "gpg2"): (gpg_lines(FIRST, MISSING), failed(f"{FIRST}\n{MISSING}")),
    ("good", "dummy"): ("", DUMMY_SAID),
    ("good", "ed25519"): ("", f"{ED25519}\n"),
    ("good", "both"): (gpg_lines(FIRST, GOOD), f"{verified(FIRST, GOOD)}{ED25519}\n"),
    ("good", "either"): ("", f"{ED25519}\n"),
    ("good", "two"): ("", DUMMY_SAID),
    ("good", "keyless"): ("", failed("No keys found for required signapi type spki")),
    ("good", "unknown"): ("", failed(UNKNOWN["gpg"])),
    ("good", "none"): ("", failed(NONE)),
    ("good", "gone"): ("", failed('Remote "gone" not found')),
    ("good", ""): ("", failed("Cannot verify deployment without remote")),
    ("unsigned", "gpg"): (failed(f"Deployment 0: {NO_GPG}"), failed(NO_META)),
    ("unsigned", "ed25519"): ("", failed(NO_META)),
    ("unsigned", "both"): (failed(f"Deployment 0: {NO_GPG}"), failed(NO_META)),
    ("strange", "gpg"): (gpg_lines(SECOND, MISSING), failed(f"{SECOND}\n{MISSING}")),
    ("strange", "dummy"): ("", failed(DUMMY_BAD)),
    ("strange", "ed25519"): ("", failed(ED_BAD)),
    ("strange", "either"): (
        "",
        failed(ED_BAD.replace(": ", ": (1 other invalid signatures): ", 1)),
    ),
}


@pytest.fixture(scope="module")
def places(field: Field) -> dict[str, Path]:
    """A sysroot for each commit, with all remotes."""
    found = {}
    for name in ("good", "unsigned", "strange"):
        path = found[name] = field.lab.root / f"status-{name}"
        subprocess.run(["cp", "-a", field.lab.root / "gpg", path], check=True)
        field.publish(name)
        repo = f"--repo={path}/ostree/repo"
        must(ours("pull-local", repo, "--remote=os", field.lab.repo, "main"))
        with pytest.MonkeyPatch.context() as patch:
            for key, value in ENVIRONMENT.items():
                patch.setenv(key, value)
            must(ours("admin", "deploy", f"--sysroot={path}", "--os=testos", "os:main"))
            must(ours("admin", "undeploy", f"--sysroot={path}", "1"))
        keys = {"dummy": dummy_pair(0), "ed25519": ed25519_pair(0)}
        texts = [_group(remote, lines, keys) for remote, lines in REMOTES.items()]
        with (path / "ostree/repo/config").open("a") as config:
            config.write("".join(texts))
        for remote, number in (("gpg", 0), ("both", 0), ("gpg2", 1)):
            ring = field.keys.run("--export", KEYS[number])
            (path / f"ostree/repo/{remote}.trustedkeys.gpg").write_bytes(ring)
    return found


def _group(remote: str, lines: list[str], keys: dict[str, KeyPair]) -> str:
    trusted = [f"verification-{name}-key={pair.public}" for name, pair in keys.items()]
    return "\n".join((f'\n[remote "{remote}"]', "url=http://a", *lines, *trusted, ""))


def status(path: Path, refspec: str, *options: str) -> str:
    """Return what is printed after the block of the deployment, errors last."""
    (origin,) = (path / "ostree/deploy/testos/deploy").glob("*.origin")
    origin.write_text(f"[origin]\nrefspec={refspec}\n")
    result = ours("admin", "status", f"--sysroot={path}", *options)
    _, refspec_line, tail = result.out.partition(f"    origin refspec: {refspec}\n")
    assert refspec_line
    assert (result.status == 0) == (not result.err)
    return re.sub(r"made .* using", "made <then> using", tail + result.err)


@pytest.mark.parametrize(("commit", "remote"), SHOWN, ids=str)
def test_status_tells_what_signatures_are_worth(
    places: dict[str, Path], commit: str, remote: str
) -> None:
    plain, with_verify = SHOWN[commit, remote]
    refspec = f"{remote}:main" if remote else "main"
    place = places[commit]
    assert status(place, refspec) == plain
    assert status(place, refspec, "--skip-signatures") == ""
    assert status(place, refspec, "--verify") == with_verify
    assert status(place, refspec, "-VS") == with_verify


NOT_READ = "Key file contains key “gpg-verify” which has a value that cannot be interpreted."
TWO_SEPARATORS = "key value list contains more than one separator"
# What is changed (a setting, or an extension and the content of the commit's file), and the same.
ODD = {
    "empty metadata": ((".commitmeta", b""), failed(f"Deployment 0: {NO_GPG}"), failed(NO_GPG)),
    "garbage": ((".commitmeta", b"\xffgarbage"), failed(f"Deployment 0: {NO_GPG}"), failed(NO_GPG)),
    "no commit": ((".commit", None), "", failed("Cannot verify, failed to load commit")),
    "no metadata": ((".commitmeta", None), failed(f"Deployment 0: {NO_GPG}"), failed(NO_META)),
    "no yes or no": (("gpg-verify", "maybe"), "", failed(NOT_READ)),
    "no keys there": (
        ("gpgkeypath", "/nowhere"), "", failed("opendir(/nowhere): No such file or directory"),
    ),
    "keys anywhere": (
        ("gpgkeypath", "a;b,c"), failed(f"Deployment 0: {TWO_SEPARATORS}"), failed(TWO_SEPARATORS),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "plain", "with_verify"), ODD.values(), ids=ODD)
def test_status_of_odd_places(
    field: Field,
    places: dict[str, Path],
    change: tuple[str, str | bytes | None],
    plain: str,
    with_verify: str,
) -> None:
    place = field.lab.root / "odd"
    if place.exists():
        shutil.rmtree(place)
    subprocess.run(["cp", "-a", places["good"], place], check=True)
    what, value = change
    repo = place / "ostree/repo"
    if isinstance(value, str):
        must(ours("config", f"--repo={repo}", '--group=remote "gpg"', "set", what, value))
    else:
        path = repo / field.meta("good").relative_to(field.lab.repo).with_suffix(what)
        path.unlink()
        if value is not None:
            path.write_bytes(value)
    assert status(place, "gpg:main") == plain
    assert status(place, "gpg:main", "--verify") == with_verify


def test_status_as_json_has_no_signatures(places: dict[str, Path]) -> None:
    words = ("admin", "status", f"--sysroot={places['unsigned']}", "--json")
    assert must(ours(*words)) == must(ours(*words, "--verify"))


def test_status_of_another_commit_under_the_name_is_an_error(
    field: Field, places: dict[str, Path]
) -> None:
    repo = places["unsigned"] / "ostree/repo/objects"
    victim = parse_checksum(field.commits["unsigned"])
    source = places["good"] / "ostree/repo/objects"
    for kind in ("commit", "commitmeta"):
        path = repo / loose_path(victim, kind)
        kept = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        shutil.copy(source / loose_path(parse_checksum(field.commits["good"]), kind), path)
        if kept is not None:
            path.with_suffix(".kept").write_bytes(kept)
    try:
        for remote in ("gpg", "ed25519"):
            said = status(places["unsigned"], f"{remote}:main", "--verify")
            assert said.startswith("error: Corrupted commit object; checksum expected='")
    finally:
        kept_path = (repo / loose_path(victim, "commit")).with_suffix(".kept")
        kept_path.replace(repo / loose_path(victim, "commit"))
        (repo / loose_path(victim, "commitmeta")).unlink()
