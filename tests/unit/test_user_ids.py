"""User ids are taken apart as GPGME does it; the expectations were recorded with it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.formats.user_ids import parse_user_id

# Each with "NAME <ADDRESS>" as the reference prints it.
RECORDED = {
    "Name <a@b.com>": "Name <a@b.com>",
    "Name (comment) <a@b.com>": "Name <a@b.com>",
    "Name (c1) (c2) <a@b.com>": "Name <a@b.com>",
    "Name (c1 <x@y>) <a@b.com>": "Name <a@b.com>",
    "Name ((nest) c) <a@b.com>": "Name <a@b.com>",
    "Name(c)<a@b.com>": "Name <a@b.com>",
    "Name <a@b.com> <c@d.com>": "Name <a@b.com>",
    "Name <a@b.com> tail": "Name <a@b.com>",
    "  lead <a@b.com>": "lead <a@b.com>",
    "Na>me <a@b.com>": "Na>me <a@b.com>",
    "Na)me <a@b.com>": "Na)me <a@b.com>",
    "Name <A@B.COM>": "Name <A@B.COM>",
    "Name <a(b)@c>": "Name <a(b)@c>",
    "Name < a@b.com >": "Name < a@b.com>",
    "Name <no-at>": "Name <no-at>",
    "Name <>": "Name <>",
    "Name (c)": "Name <>",
    "Name (c) tail": "Name <>",
    "Name (unclosed <a@b.com>": "Name <>",
    "Name <a@b.com": "Name <>",
    "Na<me": "Na <>",
    "Name a@b.com": "Name a@b.com <>",
    "<a@b.com>": " <a@b.com>",
    "<a b@c>": " <a b@c>",
    "<a@b.com> tail": "tail <a@b.com>",
    "(comment) <a@b.com>": " <a@b.com>",
    "(c) x": "x <>",
    "a@b.com": " <a@b.com>",
    "a@b": " <a@b>",
    ".a@b.com": " <.a@b.com>",
    "a'b@c.com": " <a'b@c.com>",
    "a!b@c.com": " <a!b@c.com>",
    "a_b+c@d.com": " <a_b+c@d.com>",
    "ö@x.com": " <ö@x.com>",
    "a@ö.com": " <a@ö.com>",
    "a@b.com (c)": "a@b.com <>",
    "a@b.com tail <q@r>": "a@b.com tail <q@r>",
    "a b@c.com d": "a b@c.com d <>",
    "a@": "a@ <>",
    "@x.com": "@x.com <>",
    "a@b@c.com": "a@b@c.com <>",
    "a..b@c.com": "a..b@c.com <>",
    "a@b..com": "a@b..com <>",
    "a@b.com.": "a@b.com. <>",
    "": " <>",
}


@pytest.mark.parametrize("text", RECORDED)
def test_parts_of_a_user_id(text: str) -> None:
    name, email = parse_user_id(text)
    assert f"{name} <{email}>" == RECORDED[text]


@given(st.text("ab@.()<> \tö", max_size=40))
def test_any_text_has_parts_that_stand_in_it(text: str) -> None:
    assert all(part in text for part in parse_user_id(text))


@pytest.mark.parametrize("text", ["(" * 2000, "<" * 2000, "a@" * 1000, "()" * 1000, "a.." * 700])
def test_ids_made_to_cost_time_cost_none(text: str) -> None:
    began = time.process_time()
    parse_user_id(text)
    assert time.process_time() - began < 0.1
