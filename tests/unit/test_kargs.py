"""Kernel arguments: the operations, one by one, and what must not come out of them."""

from __future__ import annotations

import pytest

from pyostree.errors import FormatError, NotFoundError
from pyostree.formats.kargs import (
    KernelArgs,
    find_ostree_arg,
    import_cmdline,
    split_args,
)

LINK = "/ostree/boot.0/testos/12ab/0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a  b ", ["a", "b"]),
        ('c="x y" d', ['c="x y"', "d"]),
        ('"testparam=a b" c', ['"testparam=a b"', "c"]),
        ('a="b c', ['a="b c']),
        ("a='b c'", ["a='b", "c'"]),
        ('a=b"c d"e"f g" h', ['a=b"c d"e"f g"', "h"]),
        ("a\tb\nc", ["a\tb\nc"]),
    ],
)
def test_split_args(text: str, expected: list[str]) -> None:
    assert split_args(text) == expected


@pytest.mark.parametrize(
    ("operation", "text", "expected"),
    [
        ("append", "a=2", "a=1 b a=1x c=1 c=2 a=2"),
        ("append", "x y=1", "a=1 b a=1x c=1 c=2 x y=1"),
        ("append_if_missing", "b=5", "a=1 b a=1x c=1 c=2"),
        ("append_if_missing", "n=5", "a=1 b a=1x c=1 c=2 n=5"),
        ("replace", "a=9", "a=9 b c=1 c=2"),
        ("replace", "n=1 m=2", "a=1 b a=1x c=1 c=2 n=1 m=2"),
        ("replace", "b", "a=1 b a=1x c=1 c=2"),
        ("delete", "b", "a=1 a=1x c=1 c=2"),
        ("delete", "c=1 c=2", "a=1 b a=1x"),
        ("delete", "a=1x", "a=1 b c=1 c=2"),
        ("delete_if_present", "zz=1", "a=1 b a=1x c=1 c=2"),
    ],
)
def test_operation(operation: str, text: str, expected: str) -> None:
    args = KernelArgs.parse("a=1 b a=1x c=1 c=2")
    assert getattr(args, operation)(text).format() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zz", "No key 'zz' found"),
        ("b=1", "No karg 'b=1' found"),
        ("c", "Multiple values for key 'c' found"),
        ("c=3", "No karg 'c=3' found"),
    ],
)
def test_delete_impossible(text: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        KernelArgs.parse("b c=1 c=2").delete(text)


def test_replace_does_not_split() -> None:
    args = KernelArgs().replace("a=1 b=2")
    assert len(args.entries) == 1
    assert args.format() == "a=1 b=2"


def test_empty_value_is_not_no_value() -> None:
    assert KernelArgs.parse("a= b").format() == "a= b"
    assert KernelArgs.parse("a=").last_value("a") == ""
    assert KernelArgs.parse("a").last_value("a") is None


def test_import_cmdline_drops_what_boot_loaders_add() -> None:
    text = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 initrd=/i ro \n"
    assert import_cmdline(text).format() == "root=/dev/sda1 ro"


def test_with_ostree_keeps_its_place() -> None:
    args = KernelArgs.parse("a ostree=/old b ostree=/older").with_ostree(LINK)
    assert args.format() == f"a ostree={LINK} b"
    assert find_ostree_arg(args.format()) == LINK


@pytest.mark.parametrize("text", ['a="b', 'x="a ostree=/evil b"', '"', 'a" b'])
def test_with_ostree_behind_quotes_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="hide ostree="):
        KernelArgs.parse(text).with_ostree(LINK)
