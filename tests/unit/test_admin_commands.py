"""``admin`` commands in this process: what they print, refuse and leave behind."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.cli.admin_status import format_json, format_text
from pyostree.cli.admin_undeploy import parse_index
from pyostree.cli.console import Console
from pyostree.cli.main import run_command_line
from pyostree.errors import OstreeError
from pyostree.formats.bls import BootEntry
from pyostree.formats.objects import Checksum
from pyostree.sysroot.deployment import Deployment, Unlocked, new_origin
from pyostree.sysroot.status import DeploymentStatus
from sysroot_lab import REFSPEC, Lab, admin, install_bootloader, scratch


class Result:
    """How a command ended."""

    def __init__(self, *arguments: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = run_command_line(["ostree", "admin", *arguments], Console(out, err, "utf-8"))
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def lab(reference: Path) -> Iterator[Lab]:
    with scratch() as place:
        yield Lab(place, reference)


@pytest.fixture
def sysroot(lab: Lab, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A sysroot of our own making, with a commit in its repository."""
    monkeypatch.setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments")
    path = lab.root / request.node.name.replace("/", "_")
    path.mkdir()
    monkeypatch.setenv("OSTREE_SYSROOT", str(path))
    assert Result("init-fs", str(path)).status == 0
    assert Result("stateroot-init", "testos").status == 0
    install_bootloader(path, "uboot")
    lab.commit()
    lab.pull(path)
    return path


def test_init_fs_epochs(tmp_path: Path) -> None:
    for epoch, expected in (("0", 10), ("1", 2), ("2", 2), ("7", 2)):
        path = tmp_path / epoch
        path.mkdir()
        for _ in range(2):
            assert Result("init-fs", f"--epoch={epoch}", str(path)).status == 0
        assert len(list(path.iterdir())) == expected - (epoch == "0")
    assert (tmp_path / "2/ostree").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "0/tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "1/ostree/repo/config").read_text() == "[core]\nrepo_version=1\nmode=bare\n"
    assert "Invalid epoch: -1" in Result("init-fs", "--epoch=-1", str(tmp_path)).err


def test_deploy_first_prints_and_writes(sysroot: Path) -> None:
    done = Result("deploy", "--os=testos", "--karg=quiet", REFSPEC)
    assert done.out == (
        "Relabeling /var (no stamp file 'var/.ostree-selabeled' found)\n"
        "Transaction complete; bootconfig swap: yes; bootversion: boot.1.1, "
        "deployment count change: 1\n"
    )
    assert os.listdir(sysroot / "boot/loader/entries") == ["ostree-1.conf"]
    var = sysroot / "ostree/deploy/testos/var"
    assert sorted(os.listdir(var)) == [".ostree-selabeled", "lib", "lock", "log", "run", "tmp"]
    assert not (sysroot / "ostree/lock").exists()


def test_deploy_var_of_commit_fills_an_empty_one_once(sysroot: Path, lab: Lab) -> None:
    lab.write_tree({"var/lib/app/data": "initial", "usr/lib/tmpfiles.d/x.conf": ""})
    lab.commit("with var")
    lab.pull(sysroot)
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    var = sysroot / "ostree/deploy/testos/var"
    assert sorted(os.listdir(var)) == [".ostree-selabeled", "lib"]
    (var / "lib/app/data").unlink()
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert not (var / "lib/app/data").exists()
    lab.write_tree({"var/lib/app/data": None, "usr/lib/tmpfiles.d/x.conf": None})


REFUSED = {
    "quotes": (['--karg=a="b', REFSPEC], "quotes in the kernel arguments"),
    "no stateroot": (["--os=other", REFSPEC], "No such stateroot: other"),
    "odd stateroot": (["--os=..", REFSPEC], "No such stateroot: .."),
    "no ref": (["nothing"], "Refspec 'nothing' not found"),
    "no argument": ([], "REF/REV must be specified"),
    "two starts": (["--karg-none", "--karg-proc-cmdline", REFSPEC], "Can't specify both"),
    "none to delete from": (["--karg-none", "--karg-delete=x", REFSPEC], "Can't specify both"),
    "no merge": (["--no-merge", "--karg-delete=x", REFSPEC], "Can't specify both --no-merge"),
    "stage": (["--stage", REFSPEC], "Staging deployment: Cannot stage deployment: Not currently"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_deploy_refused(sysroot: Path, arguments: list[str], message: str) -> None:
    done = Result("deploy", "--os=testos", *arguments)
    assert done.status == 1
    assert message in done.err
    assert Result("status").out == "No deployments.\n"


def test_deploy_missing_kernel_leaves_the_list_alone(sysroot: Path, lab: Lab) -> None:
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    before = Result("status").out
    kernel = lab.tree / "usr/lib/modules/3.6.0/vmlinuz"
    text = kernel.read_text()
    kernel.unlink()
    lab.commit("broken")
    lab.pull(sysroot)
    done = Result("deploy", "--os=testos", REFSPEC)
    assert done.err.startswith("error: Deploying tree: Initializing deployment: Failed to find")
    assert Result("status").out == before
    kernel.write_text(text)


def test_deploy_composefs_demanded_is_refused(sysroot: Path, lab: Lab) -> None:
    config = "usr/lib/ostree/prepare-root.conf"
    lab.write_tree({config: "[composefs]\nenabled=signed\n"})
    lab.commit("composefs")
    lab.pull(sysroot)
    done = Result("deploy", "--os=testos", REFSPEC)
    assert "composefs: enabled at runtime, but support is not compiled in" in done.err
    lab.write_tree({config: None})


def test_deploy_delete_karg_without_merge_is_harmless(sysroot: Path) -> None:
    assert Result("deploy", "--os=testos", "--karg-delete=x", REFSPEC).status == 0


def test_deploy_failing_freeze_leaves_old_state(
    sysroot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    before = Result("status").out
    monkeypatch.setenv("OSTREE_SYSROOT_DEBUG", "mutable-deployments;test-fifreeze")
    done = Result("deploy", "--os=testos", REFSPEC)
    assert done.err == "error: Full sync: During fsfreeze-thaw: aborting due to test-fifreeze\n"
    assert Result("status").out == before


def test_deploy_boot_counting_and_extra_keys(sysroot: Path) -> None:
    with (sysroot / "ostree/repo/config").open("a") as config:
        config.write(
            "[sysroot]\nboot-counting-tries=3\nbootprefix=true\n"
            'bls-append-except-default=grub_users="";sort-key=z\n'
        )
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert os.listdir(sysroot / "boot/loader/entries") == ["ostree-1+3.conf"]
    assert Result("deploy", "--os=testos", "--karg=x", REFSPEC).status == 0
    entries = sysroot / "boot/loader/entries"
    assert sorted(os.listdir(entries)) == ["ostree-1+3-0.conf", "ostree-2+3.conf"]
    default = (entries / "ostree-2+3.conf").read_text()
    other = (entries / "ostree-1+3-0.conf").read_text()
    assert "linux /boot/ostree/testos-" in default
    assert "sort-key" not in default
    assert 'grub_users ""\nsort-key z\n' in other


def test_pin_survives_deploys(sysroot: Path) -> None:
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert Result("pin", "0", "0").out == "Deployment 0 is now pinned\n" * 2
    assert Result("pin", "0").out == "Deployment 0 is already pinned\n"
    for _ in range(3):
        assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert Result("status").out.count("Pinned: yes") == 1
    assert Result("pin", "-u", "2").out == "Deployment 2 is now unpinned\n"
    assert Result("pin", "-u", "2").out == "Deployment 2 already unpinned\n"


@pytest.mark.parametrize("text", ["x", "0x", "", "-1", "1.0", "9" * 40])
def test_pin_bad_index(sysroot: Path, text: str) -> None:
    done = Result("pin", text)
    assert done.status == 1
    assert done.err.startswith(("error: Invalid index: ", "error: Index too large: ", "error: Unk"))


def test_set_origin_adds_a_remote(sysroot: Path) -> None:
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    arguments = ("--index=0", "--set=gpg-verify=false", "new", "http://example.com/r")
    assert Result("set-origin", *arguments).status == 0
    assert "origin refspec: new:testos/main\n" in Result("status").out
    assert (
        "url=http://example.com/r\ngpg-verify=false\n"
        in (sysroot / "ostree/repo/config").read_text()
    )
    assert "Not currently booted" in Result("set-origin", "new", "http://x").err
    assert "Out of range deployment index 4" in Result("set-origin", "--index=4", "n", "u").err


def test_print_current_dir(sysroot: Path) -> None:
    assert "Unable to find a deployment in sysroot" in Result("--print-current-dir").err
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert Path(Result("--print-current-dir").out.strip()).parent == (
        sysroot / "ostree/deploy/testos/deploy"
    )


def test_reference_reads_new_entry_names(sysroot: Path, reference: Path) -> None:
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    assert admin(reference, sysroot, "status") == Result("status").out


@pytest.mark.parametrize(("text", "index"), [("0", 0), (" 3", 3), ("", 0), ("-1", -1), ("+2", 2)])
def test_parse_index(text: str, index: int) -> None:
    assert parse_index(text) == index


@pytest.mark.parametrize("text", ["x", "1x", "1 "])
def test_parse_index_invalid(text: str) -> None:
    with pytest.raises(OstreeError, match="Invalid index: "):
        parse_index(text)


def status(**changes: object) -> DeploymentStatus:
    one = Deployment("testos", Checksum(bytes(32)), 1, "b", BootEntry(), origin=new_origin("a:b"))
    base = DeploymentStatus(one, 0, False, False, False, True, "a:b", None, None)
    return base._replace(**changes)


def test_format_text_all_lines() -> None:
    one = status().deployment._replace(unlocked=Unlocked.HOTFIX)
    full = status(deployment=one, is_booted=True, version="1.0", source_title="A title")
    assert format_text(full) == (
        f"* testos {'00' * 32}.1\n    Version: 1.0\n    Unlocked: hotfix\n"
        "    origin refspec: a:b\n    `- A title\n"
    )
    assert format_text(status(is_pending=True)).startswith(f"  testos {'00' * 32}.1 (pending)\n")
    assert format_text(status(is_rollback=True)).splitlines()[0].endswith(" (rollback)")
    assert "    origin: none\n" in format_text(status(has_origin=False, refspec=None))
    assert "    origin: <unknown origin type>\n" in format_text(status(refspec=None))


def test_format_json_is_json_in_the_known_shape() -> None:
    assert format_json([]) == '{\n   "deployments": [\n\n   ]\n}\n'
    odd = 'quote " back \\ tab \t bell \x07 é'
    text = format_json([status(version=odd), status(refspec=None)])
    first, second = json.loads(text)["deployments"]
    assert first["version"] == odd
    assert second["refspec"] is None
    assert "\n      },{\n" in text
    assert '\n         "checksum": "0000' in text


def test_deploy_tree_with_only_etc(sysroot: Path, lab: Lab) -> None:
    (lab.tree / "usr/etc").rename(lab.tree / "etc")
    try:
        lab.commit("only etc")
    finally:
        (lab.tree / "etc").rename(lab.tree / "usr/etc")
    lab.pull(sysroot)
    assert Result("deploy", "--os=testos", REFSPEC).status == 0
    root = Path(Result("--print-current-dir").out.strip())
    (root / "etc/aconfigfile").write_text("edited")
    assert (root / "usr/etc/aconfigfile").read_text() == "a config file\n"
    done = Result("deploy", "--os=testos", REFSPEC)
    assert "Copying /etc changes: 1 modified, 0 removed, 0 added\n" in done.out


def test_deploy_etc_in_both_places_is_refused(sysroot: Path, lab: Lab) -> None:
    lab.write_tree({"etc/file": "x"})
    lab.commit("both")
    lab.write_tree({"etc/file": None})
    (lab.tree / "etc").rmdir()
    lab.pull(sysroot)
    done = Result("deploy", "--os=testos", REFSPEC)
    assert done.err == (
        "error: Deploying tree: Initializing deployment: Preparing /etc: "
        "Tree contains both /etc and /usr/etc\n"
    )
