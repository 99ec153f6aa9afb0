"""Write gvariant_golden.json: what GLib makes of values, damaged bytes and texts.

Run it with a Python that has GLib's introspection data (Debian: python3-gi), from any directory:

    /usr/bin/python3 tests/data/make_gvariant_golden.py
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from gi.repository import GLib

BASIC = "bynqiuxthdsog"
INTEGERS = {
    "y": (0, 2**8 - 1), "n": (-(2**15), 2**15 - 1), "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1), "u": (0, 2**32 - 1), "h": (-(2**31), 2**31 - 1),
    "x": (-(2**63), 2**63 - 1), "t": (0, 2**64 - 1),
}  # fmt: skip
DOUBLES = [
    "0.0",
    "-0.0",
    "1.0",
    "-2.5",
    "1e300",
    "inf",
    "-inf",
    "1e-5",
    "0.1",
    "123456789012345680",
]
CHARACTERS = [
    "a", "B", "7", " ", "'", '"', "\\", "\n", "\t", "\x01", "\x7f", "\xe9", "\u20ac", "\U0001f600",
    "\u200b", "\xad", "\xa0", "\ue000", "\u2028",
]  # fmt: skip

# Types of the formats and of their metadata, then shapes that stress the layout rules.
TYPES = [
    "(a{sv}aya(say)sstayay)", "(a(say)a(sayay))", "(uuua(ayay))", "(uuuusa(ayay))",
    "(tuuuusa(ayay))", "a(ayay)", "a{sv}", "aay", "(a(s(taya{sv}))a{sv})",
    "(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))", "()", "a()", "(())", "(y)", "(yt)",
    "(ty)", "a(yt)", "{sv}", "{yy}", "a{yy}", "mi", "ms", "mmi", "mms", "mm()", "m(sy)", "ami",
    "ams", "av", "mv", "(sv)", "(vs)", "(msms)", "(ayyay)", "aaay", "a{s(ii)}", "a{tas}", "ad",
]  # fmt: skip

TEXTS = [
    "-", "--5", "+5", "-+5", "+-5", "0x", "08", "1-2", "0x1e", "010", "1e5", "1.5.2", "inf", "-inf",
    "nan", "-nan", "1e999", "99999999999999999999", "0x1.8", "0x1.8p3", "0x1.8p", "5.", ".5", ".",
    "1.5e-400", "0x1p99999.", "int16 70000", "byte -0", "byte -1", "byte 256", "handle 99999999999",
    "uint64 18446744073709551615", "int64 -9223372036854775808", "int64 9223372036854775808",
    "2147483648", "-2147483648", "byte 'a'", "uint32 'x'", "boolean 1", "double 1", "string 1",
    "@i 5.5", "@d 0x10", "@s 1z", "@d -", "[1,'a']", "['a',1,2]", "[1,2,]", "[,]", "[", "[1",
    "[1 2]", "(", "()", "(,)", "(1)", "(1,)", "(1,2,)", "(1 2)", "(1,2 3)", "{", "{}", "{1", "{1:",
    "{1}", "{1,2}", "{1:2}", "{1:2,}", "{1:2 3:4}", "{1:2,3}", "{[1]:2}", "{nothing:1}",
    "{just 1:2}", "{'a',<1>,}", "{'a':1,'b':uint32 2}", "{'a':<1>,'b':<'x'>}", "{'a':[],'b':[1]}",
    "{'a':[1],'b':[]}", "{1:2,1:'a'}", "{1:2,2.0:3}", "<", "<>", "<1", "<1 2>", "<1>",
    "[<1>,<'a'>]", "[<1>,1]", "@v 5", "@v <5>", "foo", "int", "f", "F", "nix", "jus", "infinity",
    "truex", "b", "b'", "b'a", "b'abc'", "b\"a'b\\\"\\e\\a\"", "b'\\000\\001'", "b'\\377\\7\\08'",
    "b'\\\n\\8'", "'abc", "'", "'\\'", "'\\q'", "'a\\\nb'", "'\\u00'", "'\\uzzzz'",
    "'\\u0000'", "'\\u0x41'", "'\\u00e9'",
    "'\\U0001F600'", "\"'\"", "'\"'", "'a'b", "@", "@ 5", "@i", "@i5", "@i 5", "@zz 5", "@* 5",
    "@a* 5", "@r 5", "@{*s} 5", "(@i 5,@s 'a')", "@ai [1,'a']", "@ai []", "@ai 5",
    "@(ii) (1,2,3)", "@(ii) (1,)", "@(is) (1,2,3)", "@a{sv} {}", "@{si} {'a':1}", "@{si} {'a',1}",
    "@a{si} {'a',1}", "@a{oi} {'a':1}", "@mi 5", "@mi nothing", "@mi just 1", "@mmi just 1",
    "@mmi just nothing", "@mmi nothing", "just 5", "just", "just nothing", "nothing",
    "[nothing,nothing]", "[just 5,3]", "[nothing,3]", "[5,nothing]", "[just nothing, just just 1]",
    "@as [nothing]", "@ams [nothing,'a']", "[@ms 'a','b']", "[]", "[[]]", "[[],[1]]", "[[1],['a']]",
    "[[[],[]],[['a']]]", "[{},{1:2}]", "[{'a',1},{'b',2}]", "[(1,[]),(2,['a'])]",
    "[(nothing,1),(just 'a',2)]", "[(1,'a'),('a',1)]", "[(1,2),(1,2,3)]", "[1,uint16 2]",
    "[1,uint16 2,int32 3]", "[uint16 1, 70000]", "[1,2.5]", "['a',objectpath '/b']",
    "objectpath '/a'", "objectpath 'a'", "objectpath '/a/'", "signature 'zz'", "signature 'as'",
    "int32 int16 5", "string objectpath '/a'", "[b'a','b']", "[b'a',[byte 1]]", "@ay [97,0]",
    "@ay 'a'", "@ay [256]", "", "  ", "1 2", "true", "true false", "\t5\n", "5\v", "%i", "?",
    "\xe9", "'\xe9' 1", "[1,'\xe9',2]", "[" * 130, "[" * 127 + "1" + "]" * 127,
    "<" * 127 + "1" + ">" * 127,
    "@" + "a" * 127 + "i []", "@" + "a" * 128 + "i []", "@" + "a" * 129 + "i []",
    "just " * 127 + "1",
]  # fmt: skip


class Maker:
    """Makes random types, values in text, and damage, the same in every run."""

    def __init__(self) -> None:
        self._random = random.Random(2026)

    def type(self, depth: int = 0) -> str:
        pick = self._random.random()
        if depth > 3 or pick < 0.45:
            return self._random.choice(BASIC + "v")
        if pick < 0.65:
            return "a" + self.type(depth + 1)
        if pick < 0.72:
            return "m" + self.type(depth + 1)
        if pick < 0.82:
            return "a{" + self._random.choice(BASIC) + self.type(depth + 1) + "}"
        count = self._random.choice([1, 2, 2, 3, 4])
        return "(" + "".join(self.type(depth + 1) for _ in range(count)) + ")"

    def text(self, type_text: str, depth: int = 0) -> str:
        kind = type_text[0]
        if kind == "v":
            inner = self._random.choice(
                ["s", "u", "ay", "as", "t", "(si)", "b", "a{sv}", "mi", "v"]
            )
            if depth > 4:
                inner = "q"
            return f"<@{inner} {self.text(inner, depth + 1)}>"
        if kind == "m":
            if self._random.random() < 0.4:
                return "nothing"
            return "just " + self.text(type_text[1:], depth + 1)
        if kind == "a":
            return self._array(type_text[1:], depth)
        if kind in "({":
            members = [self.text(member, depth + 1) for member in _members(type_text)]
            if kind == "{":
                return "{" + ", ".join(members) + "}"
            return "(" + ", ".join(members) + ("," if len(members) == 1 else "") + ")"
        return self._basic(kind)

    def _array(self, element: str, depth: int) -> str:
        counts = [0, 1, 2, 3] if depth else [0, 1, 3, 40, 300]
        if element == "y":
            counts = [0, 1, 4, 32] if depth else [0, 1, 32, 300]
            if self._random.random() < 0.2:
                return self._random.choice(["b''", "b'abc'", 'b"a\'b\\"\\377\\n\\001"'])
        count = self._random.choice(counts)
        if element.startswith("{"):
            pairs = [
                [self.text(part, depth + 1) for part in _members(element)] for _ in range(count)
            ]
            return "{" + ", ".join(": ".join(pair) for pair in pairs) + "}"
        return "[" + ", ".join(self.text(element, depth + 1) for _ in range(count)) + "]"

    def _basic(self, kind: str) -> str:
        choice = self._random.choice
        if kind in INTEGERS:
            low, high = INTEGERS[kind]
            return str(choice([0, 1, low, high, self._random.randint(low, high)]))
        if kind == "b":
            return choice(["true", "false"])
        if kind == "d":
            return choice(DOUBLES)
        if kind == "o":
            return choice(["'/'", "'/a'", "'/a/b_1'"])
        if kind == "g":
            return choice(["''", "'s'", "'a{sv}ii'"])
        length = choice([0, 1, 3, self._random.randint(0, 20)])
        text = "".join(choice(CHARACTERS) for _ in range(length))
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def damage(self, data: bytes) -> bytes:
        damaged = bytearray(data)
        if damaged and self._random.random() < 0.8:
            at = self._random.randrange(len(damaged))
            damaged[at] = self._random.choice([0, 1, 255, self._random.randrange(256)])
        if self._random.random() < 0.2:
            del damaged[self._random.randrange(len(damaged) + 1) :]
        if self._random.random() < 0.1:
            damaged += bytes(self._random.choice([1, 8]))
        return bytes(damaged)


def _members(type_text: str) -> list[str]:
    members, rest = [], type_text[1:-1]
    while rest:
        end = 0
        while rest[end] in "am":
            end += 1
        open_brackets = 0
        while True:
            open_brackets += (rest[end] in "({") - (rest[end] in ")}")
            end += 1
            if open_brackets == 0:
                break
        members.append(rest[:end])
        rest = rest[end:]
    return members


def _bytes(variant: GLib.Variant) -> bytes:
    return variant.get_data_as_bytes().get_data() or b""


def _value_case(type_text: str, text: str) -> dict[str, Any]:
    variant = GLib.Variant.parse(GLib.VariantType.new(type_text), text, None, None)
    return {
        "type": type_text,
        "hex": _bytes(variant).hex(),
        "swapped": _bytes(variant.byteswap()).hex(),
        "text": variant.print_(True),
        "plain": variant.print_(False),
    }


def _damaged_case(type_text: str, data: bytes) -> dict[str, Any]:
    variant = GLib.Variant.new_from_bytes(
        GLib.VariantType.new(type_text), GLib.Bytes.new(data), False
    )
    return {"type": type_text, "hex": data.hex(), "normal": variant.is_normal_form()}


def _text_case(text: str) -> dict[str, Any]:
    try:
        variant = GLib.Variant.parse(None, text, None, None)
    except GLib.Error as err:
        return {"text": text, "error": err.message}
    return {"text": text, "type": variant.get_type_string(), "hex": _bytes(variant).hex()}


def main() -> None:
    maker = Maker()
    types = TYPES * 3 + list(BASIC) * 3 + [maker.type() for _ in range(250)]
    values = [_value_case(type_text, maker.text(type_text)) for type_text in types]
    values = [case for case in values if len(case["hex"]) < 4000]
    damaged = [
        _damaged_case(case["type"], maker.damage(bytes.fromhex(case["hex"])))
        for case in values
        if 0 < len(case["hex"]) < 400
    ]
    golden = {
        "values": values,
        # GLib takes tuples of no bytes for normal, though it would not write them.
        "damaged": [case for case in damaged if case["hex"]],
        "texts": [_text_case(text) for text in TEXTS],
    }
    with Path(__file__).with_name("gvariant_golden.json").open("w", encoding="utf-8") as file:
        json.dump(golden, file, indent=0, ensure_ascii=True)
        file.write("\n")


if __name__ == "__main__":
    main()
