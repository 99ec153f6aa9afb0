"""A stick from end to end: filled on one machine, found and pulled on others, on real file systems.

What the reference's ``test-repo-finder-mount-integration.sh`` does with a stick that somebody must
plug in, with images on loop devices.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gpg_lab import GpgHome
from peer_lab import (
    COLLECTION,
    Vendor,
    find_on,
    make_client,
    make_vendor,
    pull_found,
    pulled_refs,
)
from repo_lab import OURS, must, ours
from volume_lab import available_file_systems, make_image, run_with_volumes

# udisks mounts below /media or /run/media, people below /mnt.
PLACES = ("/run/media/ann/MY USB", "/media/stick", "/mnt")


@pytest.fixture
def vendor(tmp_path: Path, keys: GpgHome) -> Vendor:
    vendor = make_vendor(tmp_path, keys)
    for name in ("test-1", "test-2", "test-3"):
        vendor.commit(name)
    vendor.publish()
    return vendor


SCRIPT = """
ostree=$1 source=$2 peer=$3 mount=$4 id=$5
$ostree --repo="$source" create-usb "$mount" $id test-1 $id test-2
$ostree --repo="$mount/.ostree/repo" refs --collections
$ostree --repo="$mount/.ostree/repo" fsck --quiet
test -f "$mount/.ostree/repo/summary"
find="$ostree --repo=$peer find-remotes --finders=mount"
$find $id test-1
$find --pull $id test-1
$ostree --repo="$peer" refs --collections
touch "$mount/still-writable"
umount "$mount"
$find $id test-2
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", available_file_systems())
def test_stick_carries_refs_to_another_machine(
    tmp_path: Path, vendor: Vendor, keys: GpgHome, kind: str, place: str
) -> None:
    local = make_client(tmp_path, keys, url=f"file://{vendor.repo}")
    must(ours("pull", f"--repo={local}", "vendor", "test-1", "test-2", "test-3"))
    commit = (local / "refs/remotes/vendor/test-1").read_text().strip()
    (tmp_path / "elsewhere").mkdir()
    peer = make_client(tmp_path / "elsewhere", keys)
    volumes = {place: (make_image(tmp_path / "stick.img", kind), kind)}
    done = run_with_volumes(volumes, SCRIPT, OURS, local, peer, place, COLLECTION)
    assert done.returncode == 0, done.stderr
    on_stick, found = done.stdout.split("Result 0: ", 1)
    assert f"({COLLECTION}, test-1)\n({COLLECTION}, test-2)\n" in on_stick
    assert ", test-3)" not in on_stick
    assert found.startswith(f"file://{place}/.ostree/repo\n")
    assert f"    - ({COLLECTION}, test-1) = {commit}\n" in found
    assert f"Pulled 1/1 refs successfully.\n({COLLECTION}, test-1)\nNo results.\n" in found
    assert pulled_refs(peer) == {"test-1": commit}
    must(ours("fsck", f"--repo={peer}"))


def test_stick_without_links_of_any_kind(
    tmp_path: Path, vendor: Vendor, keys: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, which not every kernel can mount."""
    stick = tmp_path / "stick"
    stick.mkdir()
    really = {name: getattr(os, name) for name in ("open", "link", "symlink", "setxattr")}

    def is_on_stick(where: object) -> bool:
        path = f"/proc/self/fd/{where}" if isinstance(where, int) else str(where)
        return os.path.realpath(path).startswith(str(stick))

    def open_(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and is_on_stick(path if dir_fd is None else dir_fd):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        found: int = really["open"](path, flags, *args, dir_fd=dir_fd)
        return found

    def link(source: str, to: str, **options: int) -> None:
        if is_on_stick(options["dst_dir_fd"]):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        really["link"](source, to, **options)

    def symlink(target: str, name: str, *, dir_fd: int) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def setxattr(path: str | int, *args: object, **options: bool) -> None:
        if is_on_stick(path):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        really["setxattr"](path, *args, **options)

    with monkeypatch.context() as fat:
        for name, function in (("open", open_), ("link", link), ("setxattr", setxattr)):
            fat.setattr(os, name, function)
        fat.setattr(os, "symlink", symlink)
        repo = vendor.copy_to(stick, "test-1")
        vendor.copy_to(stick, "test-1", "test-2")
        found = ours("create-usb", f"--repo={vendor.repo}", "--destination-repo=x", stick,
                     COLLECTION, "test-1")  # fmt: skip
    assert (found.status, found.err) == (1, "error: symlinkat: Operation not permitted\n")
    assert not list(stick.rglob("tmp.*"))
    must(ours("fsck", f"--repo={repo}"))
    client = make_client(tmp_path, keys)
    pull_found(client, find_on(client, stick, "test-1", "test-2"))
    assert sorted(pulled_refs(client)) == ["test-1", "test-2"]
