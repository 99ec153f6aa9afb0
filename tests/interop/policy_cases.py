"""What stands behind each row of the policy tables in ``docs/formats/signatures.md``."""

from __future__ import annotations

from typing import Any

from policy_lab import Case, Device
from repo_lab import commit, must, ours

_DUMMY_ALLOWED = {"OSTREE_DUMMY_SIGN_ENABLED": "1"}
_NO_GPG = "gpg-verify=false\n"
_BOTH = "sign-verify=dummy\nverification-dummy-key=dummy"
_REFS = "remote refs origin"


def gpg(signatures: str = "", ring: str = "gpg1", **more: object) -> Case:
    """Return a device with a key in the remote's keyring."""
    return Case(signatures, ring=ring, **more)


def gpg_summary(summary: str | None, ring: str = "gpg1", **more: object) -> Case:
    """Return a device that demands an OpenPGP signature of the summary, and of that alone."""
    return Case(summary=summary, ring=ring, settings=f"{_NO_GPG}gpg-verify-summary=true", **more)


def ed25519(signatures: str, settings: str = "sign-verify=ed25519", **more: object) -> Case:
    """Return a device with a key in the configuration of the remote."""
    settings = f"{_NO_GPG}verification-ed25519-key={{ed25519}}\n{settings}"
    return Case(signatures, settings=settings, alike=False, **more)


def dummy(signatures: str, settings: str = "sign-verify=dummy", **more: object) -> Case:
    """Return the same with the engine that the C implementation has, too."""
    settings = f"{_NO_GPG}verification-dummy-key=dummy\n{settings}"
    return Case(signatures, settings=settings, **{"env": _DUMMY_ALLOWED, **more})


def of_system(signatures: str, **files: str) -> Case:
    """Return a device with keys in ``/etc/ostree``; underscores stand for dots and slashes."""
    system = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    settings = f"{_NO_GPG}sign-verify=true"
    return Case(signatures, settings=settings, system={"empty": "", **system}, alike=False)


# -- commits and OpenPGP -----------------------------------------------------------------


def _unsigned_branch(device: Device) -> None:
    commit(device.published, "-b", "new", "--subject=new", "--tree=ref=main")
    must(ours("summary", "-u", f"--repo={device.published}"))


def _other_branch(device: Device) -> None:
    """Show the commit as one of another branch."""
    must(ours("refs", f"--repo={device.published}", "--create=other", "main"))
    must(ours("summary", "-u", f"--repo={device.published}"))


def _unbound_other_branch(device: Device) -> None:
    """Show a signed commit that does not say of which branch it is as one of another."""
    repo, vendor = device.published, device.vendor
    device.checksum = commit(repo, "-b", "made", "--no-bindings", "--tree=ref=main")
    data = device.object("commit").read_bytes()
    device.object("commitmeta").write_bytes(vendor.dictionary("gpg1", data))
    must(ours("refs", f"--repo={repo}", "--create=other", "made"))
    must(ours("summary", "-u", f"--repo={repo}"))


COMMITS_GPG = {
    "gpg-default": Case(),
    "gpg-default-signed": Case("gpg1"),
    "gpg-good": gpg("gpg1"),
    "gpg-true": gpg("gpg1", settings="gpg-verify=true"),
    "gpg-unsigned": gpg(),
    "gpg-unknown": gpg("gpg2"),
    "gpg-one-of-two": gpg("gpg2 gpg1"),
    "gpg-none-of-two": gpg("gpg2 gpg3"),
    "gpg-stripped": gpg("zero"),
    "gpg-other-kind": gpg("ed25519"),
    "gpg-empty-list": gpg("empty-gpg"),
    "gpg-rubbish": gpg("rubbish"),
    "gpg-garbage": gpg("gpg"),
    "gpg-cut": gpg("gpg1:cut"),
    "gpg-replayed": gpg("gpg1:replayed"),
    "gpg-weak": gpg("gpg1:weak"),
    "gpg-signature-expired": gpg("gpg1:expired"),
    "gpg-key-expired": gpg("gpg1", "gpg1-expired"),
    "gpg-key-revoked": gpg("gpg1", "gpg1-revoked"),
    "gpg-revoked-and-good": gpg("gpg1 gpg2", "gpg1-revoked+gpg2"),
    "gpg-two-branches": gpg(
        "gpg1", private=True, words="pull origin main new", is_sound=True, before=_unsigned_branch
    ),
    "gpg-mirror": gpg(words="pull --mirror origin main"),
    "gpg-dry-run": gpg(delta=True, words="pull --dry-run --require-static-deltas origin main"),
    "gpg-garbage-and-good": gpg("gpg gpg1"),
    "gpg-other-branch": gpg(
        "gpg1", private=True, words="pull origin other", is_sound=True, before=_other_branch
    ),
    "gpg-other-branch-unbound": gpg(
        private=True, words="pull origin other", before=_unbound_other_branch
    ),
    "gpg-off": gpg(settings=_NO_GPG),
    "gpg-off-bad": gpg("gpg1:replayed", settings=_NO_GPG),
    "gpg-by-checksum": gpg(words="pull origin {commit}"),
    "gpg-by-url": gpg(words="pull --url={url} origin main"),
    "gpg-parent-unsigned": gpg("gpg1", words="pull --depth=-1 origin main", is_sound=True),
    "gpg-unclear": gpg("gpg1", settings="gpg-verify=maybe"),
    "gpg-empty": gpg("gpg1", settings="gpg-verify="),
}


# -- which OpenPGP keys count ------------------------------------------------------------


def _key_of_other_remote(device: Device) -> None:
    device.configure("other", "url=http://192.0.2.1")
    device.write(device.repo / "other.trustedkeys.gpg", "gpg1")


def _link_in_global_directory(device: Device) -> None:
    device.write(device.root / "key", "gpg1")
    (device.root / "trusted/linked.gpg").symlink_to(device.root / "key")


def _parent_with_key(device: Device) -> None:
    parent = device.make_parent()
    device.write(parent / "origin.trustedkeys.gpg", "gpg1")


def path(value: str, files: dict[str, str], ring: str = "", trusted: str = "") -> Case:
    """Return a device with keys that ``gpgkeypath`` names."""
    settings = f"gpgkeypath={value}"
    return Case("gpg1", settings=settings, files=files, ring=ring, trusted=trusted)


KEYS_GPG = {
    "keyring-several": gpg("gpg2", "gpg1+gpg2"),
    "keyring-armored": gpg("gpg1", "gpg1-armored"),
    "keyring-other-remote": Case("gpg1", before=_key_of_other_remote),
    "keyring-parent": Case("gpg1", before=_parent_with_key),
    "global": Case("gpg1", trusted="gpg1"),
    "global-shadowed": gpg("gpg1", "gpg2", trusted="gpg1"),
    "global-shadowed-empty": gpg("gpg1", "none", trusted="gpg1"),
    "global-missing": Case("gpg1", env={"OSTREE_GPG_HOME": "{dir}/nothing"}),
    "global-link": Case("gpg1", before=_link_in_global_directory),
    "global-name": Case("gpg1", files={"trusted/key.asc": "gpg1"}),
    "gpgkeypath-file": path("{dir}/key", {"key": "gpg1-armored"}),
    "gpgkeypath-binary": path("{dir}/key", {"key": "gpg1"}),
    "gpgkeypath-directory": path("{dir}/keys", {"keys/any": "gpg1-armored"}),
    "gpgkeypath-semicolons": path("{dir}/a;{dir}/b;", {"a": "gpg2", "b": "gpg1"}),
    "gpgkeypath-commas": path("{dir}/a,{dir}/b", {"a": "gpg2", "b": "gpg1"}),
    "gpgkeypath-mixed": path("a,b;c", {}, trusted="gpg1")._replace(alike_text=False),
    "gpgkeypath-missing": path("{dir}/none", {}, trusted="gpg1")._replace(alike_text=False),
    "gpgkeypath-no-key": path("{dir}/a", {"a": "no key"}),
    "gpgkeypath-and-global": path("{dir}/a", {"a": "gpg2"}, trusted="gpg1"),
    "gpgkeypath-and-keyring": path("{dir}/a", {"a": "gpg1"}, ring="gpg2"),
    "gpgkeypath-and-both": path("{dir}/a", {"a": "gpg2"}, ring="gpg3", trusted="gpg1"),
    "homedir": Case(
        "gpg1", words="show --gpg-homedir={dir}/home main", before=lambda device: device.have(),
        files={"home/pubring.gpg": "gpg1"},
    ),
    "homedir-keybox": Case(
        "gpg1", words="show --gpg-homedir={dir}/home main", before=lambda device: device.have(),
        files={"home/pubring.kbx": "gpg1"},
    ),
}  # fmt: skip


# -- commits and engines -----------------------------------------------------------------


def _remote_in_parent(device: Device) -> None:
    settings = f"url={device.url}\n{_NO_GPG}sign-verify=dummy\nverification-dummy-key=dummy"
    device.configure("up", settings, device.make_parent())


COMMITS_ENGINES = {
    "sign-unset": ed25519("", ""),
    "sign-empty": ed25519("", "sign-verify="),
    "sign-false": ed25519("", "sign-verify=false"),
    "sign-0": ed25519("", "sign-verify=0"),
    "sign-no": ed25519("ed25519", "sign-verify=no"),
    "sign-unknown": ed25519("ed25519", "sign-verify=rsa"),
    "sign-capital": ed25519("ed25519", "sign-verify=True"),
    "sign-separator": ed25519("ed25519", "sign-verify=;"),
    "sign-partly-unknown": ed25519("ed25519", "sign-verify=ed25519;rsa"),
    "sign-true": ed25519("ed25519", "sign-verify=true"),
    "sign-1": ed25519("ed25519", "sign-verify=1"),
    "sign-true-unsigned": ed25519("", "sign-verify=true"),
    "sign-true-wrong": ed25519("ed25519-b", "sign-verify=true"),
    "sign-true-any": ed25519("spki", "sign-verify=true\nverification-spki-key={spki}"),
    "sign-true-no-key": of_system("ed25519"),
    "sign-list": ed25519("ed25519"),
    "sign-list-unsigned": ed25519(""),
    "sign-list-wrong": ed25519("ed25519-b"),
    "sign-list-one-of-two": ed25519("ed25519-b ed25519"),
    "sign-list-none-of-two": ed25519("ed25519-b ed25519-b"),
    "sign-list-stripped": ed25519("zero"),
    "sign-list-other-kind": ed25519("gpg1 spki dummy"),
    "sign-list-empty-list": ed25519("empty-ed25519"),
    "sign-list-rubbish": ed25519("rubbish"),
    "sign-list-replayed": ed25519("ed25519:replayed"),
    "sign-list-cut": ed25519("ed25519:cut"),
    "sign-list-cut-and-good": ed25519("ed25519:cut ed25519"),
    "sign-list-no-key": ed25519("spki", "sign-verify=spki"),
    "sign-list-part-without-key": ed25519("ed25519", "sign-verify=ed25519;spki"),
    "sign-semicolons": ed25519(
        "spki", "sign-verify=ed25519;spki\nverification-spki-key={spki}"
    ),
    "sign-commas": ed25519("spki", "sign-verify=ed25519,spki\nverification-spki-key={spki}"),
    "sign-several-wrong": ed25519(
        "spki-b ed25519-b", "sign-verify=ed25519;spki\nverification-spki-key={spki}"
    ),
    "sign-several-one-wrong": ed25519(
        "spki ed25519-b", "sign-verify=ed25519;spki\nverification-spki-key={spki}"
    ),
    "sign-ec": ed25519("spki-ec", "sign-verify=spki\nverification-spki-key={spki-ec}"),
    "dummy": dummy("dummy"),
    "sign-in-parent": Case(
        "dummy", words="pull up main", before=_remote_in_parent, env=_DUMMY_ALLOWED
    ),
    "sign-in-parent-unsigned": Case(
        words="pull up main", before=_remote_in_parent, env=_DUMMY_ALLOWED
    ),
    "sign-in-parent-wrong": Case(
        "dummy-b", words="pull up main", before=_remote_in_parent, env=_DUMMY_ALLOWED
    ),
    "dummy-true": dummy("dummy", "sign-verify=true"),
    "dummy-true-no-key": Case("dummy", settings=f"{_NO_GPG}sign-verify=true", env=_DUMMY_ALLOWED),
    "dummy-unsigned": dummy(""),
    "dummy-wrong": dummy("dummy-b"),
    "dummy-other-kind": dummy("gpg1"),
    "dummy-not-allowed": dummy("dummy", env={}),
    "dummy-allowed-otherwise": dummy("dummy", env={"OSTREE_DUMMY_SIGN_ENABLED": "true"}),
    "dummy-file": dummy("dummy", "sign-verify=dummy\nverification-dummy-file={dir}/k",
                        files={"k": "dummy"}),
    "both": gpg("gpg1 dummy", settings=_BOTH, env=_DUMMY_ALLOWED),
    "both-only-gpg": gpg("gpg1", settings=_BOTH, env=_DUMMY_ALLOWED),
    "both-only-engine": gpg("dummy", settings=_BOTH, env=_DUMMY_ALLOWED),
}  # fmt: skip


# -- which keys of engines count ---------------------------------------------------------


def key_file(signatures: str, content: str | None, more: str = "", engine: str = "ed25519") -> Case:
    """Return a device with a file of keys."""
    settings = f"{_NO_GPG}sign-verify={engine}\nverification-{engine}-file={{dir}}/keys\n{more}"
    files = {} if content is None else {"keys": content}
    return Case(signatures, settings=settings, files=files, alike=False)


_INLINE = "verification-ed25519-key="

KEYS_ENGINES = {
    "key-unusable": Case(
        "ed25519", settings=f"{_NO_GPG}sign-verify=ed25519\n{_INLINE}c2hvcnQ=", alike=False
    ),
    "key-unusable-true": Case(
        "ed25519", settings=f"{_NO_GPG}sign-verify=true\n{_INLINE}c2hvcnQ=", alike=False
    ),
    "key-weak": Case(
        "ed25519",
        settings=f"{_NO_GPG}sign-verify=ed25519\n{_INLINE}{'A' * 43}=",
        alike=False,
    ),
    "key-not-spki": Case(
        "spki",
        settings=f"{_NO_GPG}sign-verify=spki\nverification-spki-key=c2hvcnQ=",
        alike=False,
    ),
    "file": key_file("ed25519", "{ed25519-file}"),
    "file-several": key_file("ed25519", "{ed25519-b-file}{ed25519-file}"),
    "file-pem": key_file("spki", "{spki-b-file}{spki-file}", engine="spki"),
    "file-missing": key_file("ed25519", None),
    "file-empty": key_file("ed25519", ""),
    "file-blank-line": key_file("ed25519", "{ed25519-file}\n"),
    "file-partly-unusable": key_file("ed25519", "c2hvcnQ=\n{ed25519-file}"),
    "file-unusable": key_file("ed25519", "c2hvcnQ=\n"),
    "file-and-key-file": key_file("ed25519-b", "{ed25519-b-file}", f"{_INLINE}{{ed25519}}"),
    "file-and-key-key": key_file("ed25519", "{ed25519-b-file}", f"{_INLINE}{{ed25519}}"),
    "file-missing-and-key": key_file("ed25519", None, f"{_INLINE}{{ed25519}}"),
    "system-file": of_system("ed25519", trusted_ed25519="{ed25519-file}"),
    "system-directory": of_system("ed25519", trusted_ed25519_d__any="{ed25519-file}"),
    "system-pem": of_system("spki", trusted_spki="{spki-file}"),
    "system-wrong": of_system("ed25519", trusted_ed25519="{ed25519-b-file}"),
    "system-unusable-beside": of_system(
        "ed25519", trusted_ed25519="rubbish", trusted_ed25519_d__any="{ed25519-file}"
    ),
    "system-revoked": of_system(
        "ed25519", trusted_ed25519="{ed25519-file}", revoked_ed25519="{ed25519-file}"
    ),
    "system-revoked-other": of_system(
        "ed25519",
        trusted_ed25519="{ed25519-file}{ed25519-b-file}",
        revoked_ed25519_d__any="{ed25519-b-file}",
    ),
    "system-revoked-unusable": of_system(
        "ed25519", trusted_ed25519="{ed25519-file}", revoked_ed25519="rubbish\n"
    ),
    "system-and-list": Case(
        "ed25519",
        settings=f"{_NO_GPG}sign-verify=ed25519",
        system={"trusted.ed25519": "{ed25519-file}"},
        alike=False,
    ),
    "system-and-key": ed25519(
        "ed25519-b", "sign-verify=true", system={"trusted.ed25519": "{ed25519-b-file}"}
    ),
    "revoked-and-key": ed25519(
        "ed25519", "sign-verify=true", system={"revoked.ed25519": "{ed25519-file}"}
    ),
}


# -- summaries ---------------------------------------------------------------------------

_ENGINE_SUMMARY = "sign-verify-summary=dummy"
_DUMMY_REFS: dict[str, Any] = {"settings": _ENGINE_SUMMARY, "words": _REFS}


def both_summary(summary: str) -> Case:
    """Return a device that demands two signatures of the summary."""
    settings = f"{_NO_GPG}gpg-verify-summary=true\n{_ENGINE_SUMMARY}\nverification-dummy-key=dummy"
    return gpg(summary=summary, settings=settings, env=_DUMMY_ALLOWED)


def _without_delta_indexes(device: Device) -> None:
    text = (device.published / "config").read_bytes()
    device.republish("config", text.replace(b"indexed-deltas=true", b"indexed-deltas=false"))


def _only_summary_sig(device: Device) -> None:
    (device.published / "summary").unlink()


def _older_summary(device: Device) -> None:
    """Show the device the present summary, then one that was signed before."""
    older = device.summary()
    device.publish_newer()
    device.must("pull origin main")
    device.replace_summary(older)


SUMMARIES = {
    "summary-default": gpg("gpg1"),
    "summary-default-bad": gpg("gpg1", summary="gpg1:replayed"),
    "summary-good": gpg_summary("gpg1"),
    "summary-unsigned": gpg_summary(""),
    "summary-missing": gpg_summary(None),
    "summary-alone": gpg_summary("gpg1", private=True, before=_only_summary_sig),
    "summary-unknown": gpg_summary("gpg2"),
    "summary-replayed": gpg_summary("gpg1:replayed"),
    "summary-other-kind": gpg_summary("ed25519"),
    "summary-rubbish": gpg_summary("rubbish"),
    "summary-expired": gpg_summary("gpg1:expired"),
    "summary-key-revoked": gpg_summary("gpg1", "gpg1-revoked"),
    "summary-and-commit": gpg(
        summary="gpg1", settings="gpg-verify=true\ngpg-verify-summary=true",
        is_summary_sound=True,
    ),
    "summary-mirror": gpg_summary("", words="pull --mirror origin"),
    "summary-commit-named": gpg_summary("", words="pull origin main@{commit}"),
    "summary-for-deltas": gpg_summary(
        "", words="pull origin main@{commit}", private=True, before=_without_delta_indexes
    ),
    "summary-older": gpg_summary("gpg1", before=_older_summary, private=True),
    "summary-older-t": gpg_summary(
        "gpg1", before=_older_summary, private=True, words="pull -T origin main",
        is_sound=True, is_summary_sound=True,
    ),
    "refs-default": Case(words=_REFS),
    "refs-good": gpg_summary("gpg1", words=_REFS),
    "refs-unsigned": gpg_summary("", words=_REFS),
    "refs-missing": gpg_summary(None, words=_REFS),
    "refs-unknown": gpg_summary("gpg2", words=_REFS),
    "refs-other-kind": gpg_summary("ed25519", words=_REFS),
    "refs-remote-summary": gpg_summary("", words="remote summary origin"),
    "engine-summary-default": dummy("dummy", summary="dummy-b"),
    "engine-summary-good": dummy("", _ENGINE_SUMMARY, summary="dummy"),
    "engine-summary-unsigned": dummy("", _ENGINE_SUMMARY),
    "engine-summary-missing": dummy("", _ENGINE_SUMMARY, summary=None),
    "engine-summary-alone": dummy(
        "", _ENGINE_SUMMARY, summary="dummy", private=True, before=_only_summary_sig, alike=False
    ),
    "engine-summary-wrong": dummy("", _ENGINE_SUMMARY, summary="dummy-b"),
    "engine-summary-other-kind": dummy("", _ENGINE_SUMMARY, summary="gpg1"),
    "engine-summary-rubbish": dummy("", _ENGINE_SUMMARY, summary="rubbish"),
    "engine-summary-no-key": ed25519("", "sign-verify-summary=spki", summary="spki"),
    "engine-summary-unknown": ed25519("", "sign-verify-summary=rsa", summary="ed25519"),
    "engine-summary-commit-named": dummy(
        "", _ENGINE_SUMMARY, words="pull origin main@{commit}"
    ),
    "engine-summary-replayed": ed25519(
        "", "sign-verify-summary=ed25519", summary="ed25519:replayed"
    ),
    "engine-refs-good": dummy("", summary="dummy", **_DUMMY_REFS),
    "engine-refs-unsigned": dummy("", **_DUMMY_REFS),
    "engine-refs-missing": dummy("", summary=None, **_DUMMY_REFS),
    "engine-refs-wrong": dummy("", summary="dummy-b", **_DUMMY_REFS),
    "engine-refs-other-kind": dummy("", summary="gpg1", **_DUMMY_REFS),
    "both-summary": both_summary("gpg1 dummy"),
    "both-summary-only-gpg": both_summary("gpg1"),
    "both-summary-only-engine": both_summary("dummy"),
    "separate-summary-key": ed25519(
        "ed25519",
        "sign-verify=ed25519\nsign-verify-summary=spki\nverification-spki-key={spki}",
        summary="spki",
    ),
    "separate-summary-key-on-commit": ed25519(
        "spki",
        "sign-verify=ed25519\nsign-verify-summary=spki\nverification-spki-key={spki}",
        summary="spki",
        is_summary_sound=True,
    ),
}  # fmt: skip


# -- static deltas -----------------------------------------------------------------------

_DELTA: dict[str, Any] = {"delta": True, "words": "pull --require-static-deltas origin main"}
_SIGNED_DELTA = "--sign-type=dummy --sign=dummy"
_OFFLINE = "static-delta apply-offline --sign-type=dummy"


def _summary_without_deltas(device: Device) -> None:
    """Have the server offer a delta of which its signed summary does not know."""
    device.add_delta()


def offline(key: str = "", signer: str = _SIGNED_DELTA, **more: object) -> Case:
    """Return a device that is given a static delta as files."""
    words = f"{_OFFLINE} {{published}}/deltas/{{delta}} {key}".rstrip()
    return Case(words=words, delta=True, delta_options=signer, env=_DUMMY_ALLOWED, **more)


def offline_system(trusted: str) -> Case:
    """Return a device that is given a static delta, and trusts keys in ``/etc/ostree``."""
    return Case(
        words="static-delta apply-offline {published}/deltas/{delta}",
        delta=True,
        delta_options="--sign={ed25519-secret}",
        system={"trusted.ed25519": trusted},
        alike=False,
    )


def verify_delta(key: str, signer: str = _SIGNED_DELTA) -> Case:
    """Return a device that is asked what a static delta is worth."""
    words = f"static-delta verify --sign-type=dummy {{published}}/deltas/{{delta}}/superblock {key}"
    return Case(words=words, delta=True, delta_options=signer, env=_DUMMY_ALLOWED)


def _demand_signed_deltas(device: Device) -> None:
    device.prepare("config set core.sign-verify-deltas true")


DELTAS = {
    "delta-good": gpg("gpg1", **_DELTA),
    "delta-unsigned": gpg(**_DELTA),
    "delta-replayed": gpg("gpg1:replayed", **_DELTA),
    "delta-unknown": gpg("gpg2", **_DELTA),
    "delta-engine-good": dummy("dummy", **_DELTA),
    "delta-engine-unsigned": dummy("", **_DELTA),
    "delta-engine-wrong": dummy("dummy-b", **_DELTA),
    "delta-summary": gpg_summary("gpg1", **_DELTA),
    "delta-unlisted": gpg_summary(
        "gpg1",
        private=True,
        before=_summary_without_deltas,
        words=_DELTA["words"],
        is_summary_sound=True,
    ),
    "delta-signed": gpg("gpg1", delta_options=_SIGNED_DELTA, alike=False, **_DELTA),
    "delta-signed-good": dummy("dummy", delta_options=_SIGNED_DELTA, alike=False, **_DELTA),
    "delta-signed-wrong": dummy("dummy", delta_options=f"{_SIGNED_DELTA}-b", alike=False, **_DELTA),
    "delta-demand-good": dummy(
        "dummy", delta_options=_SIGNED_DELTA, alike=False, before=_demand_signed_deltas, **_DELTA
    ),
    "delta-demand-unsigned": dummy("dummy", alike=False, before=_demand_signed_deltas, **_DELTA),
    "delta-demand-unsigned-optional": dummy(
        "dummy", alike=False, before=_demand_signed_deltas, delta=True
    ),
    "offline-unsigned": offline(signer=""),
    "offline-unsigned-key": offline("dummy", signer="", alike=False),
    "offline-no-key": offline(),
    "offline-good": offline("dummy"),
    "offline-wrong": offline("dummy-b"),
    "offline-demand-no-key": offline(before=_demand_signed_deltas),
    "offline-demand-good": offline("dummy", before=_demand_signed_deltas),
    "offline-demand-unsigned": offline(signer="", before=_demand_signed_deltas, alike=False),
    "offline-system": offline_system("{ed25519-file}"),
    "offline-system-wrong": offline_system("{ed25519-b-file}"),
    "verify-delta-good": verify_delta("dummy"),
    "verify-delta-wrong": verify_delta("dummy-b"),
    "verify-delta-unsigned": verify_delta("dummy", signer=""),
}


# -- repositories of this machine --------------------------------------------------------

_PULL_LOCAL = "pull-local --remote=origin"
_CHECKED = "pull-local --gpg-verify --remote=origin {published} main"
_CHECKED_SUMMARY = "pull-local --gpg-verify-summary --remote=origin {published} main"


def _local_remote(device: Device) -> None:
    device.configure("here", f"url=file://{device.published}\n{device.case.settings}")
    if device.case.ring:
        device.write(device.repo / "here.trustedkeys.gpg", device.case.ring)


def _have_commit_object(device: Device) -> None:
    device.prepare("pull-local --commit-metadata-only {published} main")


def _have_parent(device: Device) -> None:
    device.prepare("pull-local {published} {earlier}")


def _key_revoked_after_pull(device: Device) -> None:
    device.must("pull origin main")
    device.write(device.repo / "origin.trustedkeys.gpg", "gpg1-revoked")


def _then_resigned(first: str, then: str) -> Case:
    """Return a device that has pulled the commit before the server got other signatures."""

    def pull_and_resign(device: Device) -> None:
        device.must("pull origin main")
        device.resign(then)

    kind = dummy if first == "dummy" else gpg
    return kind(first, private=True, before=pull_and_resign)


_HERE: dict[str, Any] = {"words": "pull here main", "before": _local_remote}
_HAVE: dict[str, Any] = {"before": lambda device: device.have()}

LOCAL = {
    "pull-local": gpg("gpg1:replayed", words="pull-local {published} main"),
    "pull-local-remote": gpg("gpg1:replayed", words=f"{_PULL_LOCAL} {{published}} main"),
    "pull-local-untrusted": gpg(words=f"{_PULL_LOCAL} --untrusted {{published}} main"),
    "pull-local-engine": dummy("", words=f"{_PULL_LOCAL} {{published}} main"),
    "pull-local-verify": gpg("gpg1", words=_CHECKED),
    "pull-local-verify-unsigned": gpg(words=_CHECKED),
    "pull-local-verify-unknown": gpg("gpg2", words=_CHECKED),
    "pull-local-verify-off": gpg(settings=_NO_GPG, words=_CHECKED),
    "pull-local-verify-whose": gpg("gpg1", words="pull-local --gpg-verify {published} main"),
    "pull-local-verify-nobody": gpg(
        "gpg1", words="pull-local --gpg-verify --remote=no {published} main", alike_text=False
    ),
    "pull-local-summary": gpg(summary="gpg1", words=_CHECKED_SUMMARY),
    "pull-local-summary-unsigned": gpg(words=_CHECKED_SUMMARY),
    "file-url-good": gpg("gpg1", **_HERE),
    "file-url-unsigned": gpg(**_HERE),
    "file-url-unknown": gpg("gpg2", **_HERE),
    "file-url-engine-good": dummy("dummy", **_HERE),
    "file-url-engine-unsigned": dummy("", **_HERE),
    "file-url-engine-wrong": dummy("dummy-b", **_HERE),
    "stored-good": gpg("gpg1", **_HAVE),
    "stored-unsigned": gpg(**_HAVE),
    "stored-unknown": gpg("gpg2", **_HAVE),
    "stored-engine-good": dummy("dummy", **_HAVE),
    "stored-engine-unsigned": dummy("", **_HAVE),
    "stored-engine-wrong": dummy("dummy-b", **_HAVE),
    "stored-partial": gpg(before=_have_commit_object),
    "stored-partial-engine": dummy("", before=_have_commit_object),
    "stored-parent": gpg(
        "gpg1", before=_have_parent, words="pull --depth=-1 origin main", is_sound=True
    ),
    "stored-key-revoked": gpg("gpg1", before=_key_revoked_after_pull),
    "stored-now-stripped": _then_resigned("gpg1", ""),
    "stored-now-wrong": _then_resigned("gpg1", "gpg2"),
    "stored-now-more": _then_resigned("gpg1", "gpg2 gpg1"),
    "stored-engine-now-wrong": _then_resigned("dummy", "dummy-b"),
    "cache": gpg(words="pull --localcache-repo={published} origin main"),
    "cache-engine": dummy("", words="pull --localcache-repo={published} origin main"),
    "http-trusted": gpg(words="pull --http-trusted origin main"),
    "metadata-only": gpg(words="pull --commit-metadata-only origin main"),
}


# -- collections -------------------------------------------------------------------------

_FIND = "find-remotes --finders=config --pull org.example.Os main"


def of_collection(signatures: str, more: str = "", **others: object) -> Case:
    """Return a device that takes a ref of a collection from whoever has it."""
    settings = f"collection-id=org.example.Os\n{more}"
    return gpg(signatures, settings=settings, collection=True, **{"words": _FIND, **others})


COLLECTIONS = {
    "collection-good": of_collection("gpg1"),
    "collection-unsigned": of_collection(""),
    "collection-unknown": of_collection("gpg2"),
    "collection-off": of_collection("", _NO_GPG),
    "collection-engine": of_collection(
        "gpg1", "sign-verify=dummy\nverification-dummy-key=dummy", env=_DUMMY_ALLOWED
    ),
    "collection-engine-good": of_collection(
        "gpg1 dummy", "sign-verify=dummy\nverification-dummy-key=dummy", env=_DUMMY_ALLOWED
    ),
    "collection-summary": of_collection("gpg1", "gpg-verify-summary=true"),
    "collection-pull": of_collection("gpg1", words="pull origin main"),
    "collection-pull-unsigned": of_collection("", words="pull origin main"),
}


# -- deployments -------------------------------------------------------------------------


def _pulled(device: Device) -> None:
    device.prepare(f"{_PULL_LOCAL} {{published}} main")


def _deployed(device: Device) -> None:
    _pulled(device)
    device.prepare("admin deploy --os=testos origin:main")


def _deployed_from_nowhere(device: Device) -> None:
    device.have()
    device.prepare("admin deploy --os=testos main")


def _older_deployed(device: Device) -> None:
    device.prepare(f"{_PULL_LOCAL} {{published}} {{earlier}}")
    device.prepare("refs --create=origin:main {earlier}")
    device.prepare("admin deploy --os=testos origin:main")


def _second_remote(device: Device) -> None:
    _older_deployed(device)
    device.configure("second", f"url={device.url}\n{device.case.settings}")
    device.write(device.repo / "second.trustedkeys.gpg", device.case.ring)


_DEPLOY: dict[str, Any] = {
    "sysroot": True, "before": _pulled, "words": "admin deploy --os=testos origin:main"
}  # fmt: skip
_UPGRADE: dict[str, Any] = {
    "sysroot": True, "before": _older_deployed, "words": "admin upgrade --os=testos"
}  # fmt: skip
_SWITCH: dict[str, Any] = {
    "sysroot": True, "before": _second_remote, "words": "admin switch --os=testos second:main"
}  # fmt: skip
_STATUS: dict[str, Any] = {"sysroot": True, "before": _deployed, "words": "admin status"}
_VERIFY = {**_STATUS, "words": "admin status --verify"}

DEPLOYMENTS = {
    "deploy": gpg("gpg1:replayed", **_DEPLOY),
    "upgrade-good": gpg("gpg1", **_UPGRADE),
    "upgrade-unsigned": gpg(**_UPGRADE),
    "upgrade-unknown": gpg("gpg2", **_UPGRADE),
    "upgrade-named": gpg(
        **{**_UPGRADE, "words": "admin upgrade --os=testos --override-commit={commit}"}
    ),
    "switch-good": gpg("gpg1", **_SWITCH),
    "switch-unsigned": gpg(**_SWITCH),
    "upgrade-engine-good": dummy("dummy", **_UPGRADE),
    "upgrade-engine-unsigned": dummy("", **_UPGRADE),
    "status-good": gpg("gpg1", **_STATUS),
    "status-unsigned": gpg(alike_text=False, **_STATUS),
    "status-unknown": gpg("gpg2", **_STATUS),
    "status-off": gpg(settings=_NO_GPG, **_STATUS),
    "status-skip": gpg(alike=False, **{**_STATUS, "words": "admin status --skip-signatures"}),
    "status-engine": dummy("", **_STATUS),
    "verify-good": gpg("gpg1", **_VERIFY),
    "verify-unsigned": gpg(**_VERIFY),
    "verify-unknown": gpg("gpg2", **_VERIFY),
    "verify-no-remote": gpg("gpg1", **{**_VERIFY, "before": _deployed_from_nowhere}),
    "verify-off": gpg("gpg1", settings=_NO_GPG, **_VERIFY),
    "verify-engine-good": dummy("dummy", **_VERIFY),
    "verify-engine-unsigned": dummy("", **_VERIFY),
    "verify-engine-wrong": dummy("dummy-b", **_VERIFY),
    "verify-both": gpg("gpg1 dummy", settings=_BOTH, env=_DUMMY_ALLOWED, **_VERIFY),
    "verify-both-only-gpg": gpg("gpg1", settings=_BOTH, env=_DUMMY_ALLOWED, **_VERIFY),
    "verify-both-only-engine": gpg("dummy", settings=_BOTH, env=_DUMMY_ALLOWED, **_VERIFY),
}


# -- remotes as they are added, and commands that look -----------------------------------


def _added(options: str) -> dict[str, Any]:
    def add(device: Device) -> None:
        device.must(f"remote add {options} new {{url}}")

    return {"before": add, "words": "pull new main"}


_ED = "--no-gpg-verify --sign-verify=ed25519=inline:{ed25519}"

COMMANDS = {
    "add": Case("ed25519", **_added("--if-not-exists")),
    "add-no-gpg-verify": Case(**_added("--no-gpg-verify")),
    "add-no-sign-verify": Case(**_added("--no-sign-verify")),
    "add-gpg-import": Case("gpg1", files={"k": "gpg1-armored"}, **_added("--gpg-import={dir}/k")),
    "add-sign-verify": Case("ed25519", alike=False, **_added(_ED)),
    "add-sign-verify-unsigned": Case(alike=False, **_added(_ED)),
    "add-sign-verify-gpg": Case("ed25519", alike=False, **_added(_ED.partition(" ")[2])),
    "add-sign-verify-two": Case(
        "spki", alike=False, **_added(f"{_ED} --sign-verify=spki=inline:{{spki}}")
    ),
    "show-good": gpg("gpg1", trusted="gpg1", words="show main", **_HAVE),
    "show-unknown": gpg("gpg2", words="show main", **_HAVE),
    "show-replayed": gpg("gpg1:replayed", trusted="gpg1", words="show main", **_HAVE),
    "show-remote": gpg("gpg1", words="show --gpg-verify-remote=origin main", **_HAVE),
    "sign-verify-good": ed25519("ed25519", words="sign --verify main {ed25519}", **_HAVE),
    "sign-verify-wrong": ed25519("ed25519-b", words="sign --verify main {ed25519}", **_HAVE),
    "sign-verify-unsigned": ed25519("", words="sign --verify main {ed25519}", **_HAVE),
    "sign-verify-directory": ed25519(
        "ed25519",
        words="sign --verify --keys-dir={dir} main",
        files={"trusted.ed25519": "{ed25519-file}"},
        **_HAVE,
    ),
    "sign-verify-directory-revoked": ed25519(
        "ed25519",
        words="sign --verify --keys-dir={dir} main",
        files={"trusted.ed25519": "{ed25519-file}", "revoked.ed25519": "{ed25519-file}"},
        **_HAVE,
    ),
}

TABLES = (
    COMMITS_GPG, KEYS_GPG, COMMITS_ENGINES, KEYS_ENGINES, SUMMARIES, DELTAS, LOCAL, COLLECTIONS,
    DEPLOYMENTS, COMMANDS,
)  # fmt: skip
CASES = {name: case for table in TABLES for name, case in table.items()}
