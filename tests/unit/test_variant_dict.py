"""The order of the reference's hash tables."""

from __future__ import annotations

import pytest

from pyostree.formats.variant_dict import variant_dict_order


def test_order_of_a_bootable_commit() -> None:
    keys = ["ostree.ref-binding", "ostree.bootable", "ostree.linux"]
    assert variant_dict_order(keys) == ["ostree.linux", "ostree.bootable", "ostree.ref-binding"]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100, 1000])
def test_order_keeps_every_key_once(count: int) -> None:
    keys = [f"key-{number}" for number in range(count)]
    assert sorted(variant_dict_order([*keys, *keys])) == sorted(keys)


def test_order_does_not_depend_on_repetition() -> None:
    keys = ["a", "b", "c", "é", "日本"]
    assert variant_dict_order(keys) == variant_dict_order(["a", "a", "b", "c", "b", "é", "日本"])
