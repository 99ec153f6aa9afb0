"""Which mounts are volumes; the tables that say what is mounted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer_lab import volume_at
from pyostree.formats.mountinfo import Mount, parse_fstab, parse_mountinfo
from pyostree.fs.mounts import Account, own_account, read_mountinfo
from pyostree.pull.finders.volumes import list_volumes, open_volume, select_volumes

ROOT = Account(0, "root", "/root")
USER = Account(1000, "ann", "/home/ann")


def mount(path: str, fs_type: str = "ext4", source: str = "/dev/sdb1") -> Mount:
    return Mount(7, "/", path, ("rw",), fs_type, source)


def test_parse_mountinfo_reads_names_with_blanks_and_optional_fields() -> None:
    data = (
        b"36 35 98:0 /a\\134b /run/media/ann/MY\\040USB rw,noatime master:1 shared:2 - vfat"
        b" /dev/sdb1 rw\n"
        b"37 35 98:0 / /x rw - tmpfs none rw\n"
    )
    first, second = parse_mountinfo(data)
    assert first == Mount(
        36, "/a\\b", "/run/media/ann/MY USB", ("rw", "noatime"), "vfat", "/dev/sdb1"
    )
    assert (second.mount_id, second.path, second.source) == (37, "/x", "none")


@given(st.binary(max_size=200))
def test_parse_mountinfo_any_bytes_gives_mounts_only(data: bytes) -> None:
    assert all(isinstance(found, Mount) for found in parse_mountinfo(data))


def test_parse_mountinfo_reads_all_that_the_kernel_says() -> None:
    data = read_mountinfo()
    assert len(list(parse_mountinfo(data))) == data.count(b"\n")


def test_parse_fstab_leaves_comments_out() -> None:
    data = b"# a b c d\n/dev/sda1 /my\\040disk ext4 user,noauto 0 0\nbad\n"
    assert parse_fstab(data) == {"/my disk": ("user", "noauto")}


@pytest.mark.parametrize(
    ("path", "account", "counts"),
    [
        ("/media/stick", ROOT, True),
        ("/media/stick", USER, True),
        ("/media/ann/stick", USER, True),
        ("/media", ROOT, False),
        ("/mnt", ROOT, True),
        ("/mnt/a/b", USER, True),
        ("/mntx", ROOT, False),
        ("/run/media/ann/stick", USER, True),
        ("/run/media/bob/stick", USER, False),
        ("/run/media/annabel/stick", USER, False),
        ("/run/media/bob/stick", ROOT, True),
        ("/home/ann/disk", USER, True),
        ("/home/ann", USER, False),
        ("/home/bob/disk", USER, False),
        ("/", ROOT, False),
        ("/boot", ROOT, False),
        ("/media/.hidden", ROOT, False),
        ("/media/a/.hidden/b", ROOT, False),
        ("/srv/disk", USER, False),
        ("/x", Account(1, "who", ""), False),
    ],
)
def test_select_volumes_goes_by_path(path: str, account: Account, counts: bool) -> None:
    assert bool(list(select_volumes([mount(path)], {}, account))) is counts


@pytest.mark.parametrize(
    ("fs_type", "source", "counts"),
    [
        ("vfat", "/dev/sdb1", True),
        ("exfat", "/dev/mmcblk1p1", True),
        ("fuseblk", "/dev/sdb1", True),
        ("ext4", "/dev/loop0", True),
        ("iso9660", "/dev/sr0", True),
        ("btrfs", "/dev/mapper/luks-1", True),
        ("tmpfs", "tmpfs", False),
        ("overlay", "overlay", False),
        ("autofs", "/etc/auto.misc", False),
        ("ext4", "none", False),
        ("fuse.gvfsd-fuse", "gvfsd-fuse", False),
    ],
)
def test_select_volumes_leaves_out_system_file_systems(
    fs_type: str, source: str, counts: bool
) -> None:
    assert bool(list(select_volumes([mount("/media/a", fs_type, source)], {}, ROOT))) is counts


@pytest.mark.parametrize("option", ["user", "users", "x-gvfs-show"])
def test_select_volumes_takes_what_fstab_gives_to_users(option: str) -> None:
    fstab = {"/srv/disk": ("noauto", option), "/srv/other": ("defaults",)}
    mounts = [mount("/srv/disk"), mount("/srv/other")]
    assert [found.path for found in select_volumes(mounts, fstab, USER)] == ["/srv/disk"]


def test_list_volumes_of_this_machine_are_mounts_of_it() -> None:
    known = {found.mount_id for found in parse_mountinfo(read_mountinfo())}
    assert all(found.mount_id in known for found in list_volumes())
    assert own_account().name


def test_open_volume_hidden_by_another_mount_gives_none(tmp_path: Path) -> None:
    seen = volume_at(tmp_path)
    root = open_volume(seen)
    assert root is not None
    root.close()
    assert open_volume(seen._replace(mount_id=seen.mount_id + 100_000)) is None
