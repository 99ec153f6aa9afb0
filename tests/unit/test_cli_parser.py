from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.cli.options import boolean, filename, flag, integer, text, texts
from pyostree.cli.parser import HelpRequested, OptionError, parse, parse_integer

OPTIONS = (
    flag("recursive", "R"),
    flag("checksum", "C"),
    flag("view", "v"),
    flag("verbose", "v"),
    text("subject", "s"),
    text("branch", "b"),
    texts("tree"),
    filename("repo"),
    integer("depth", "d"),
    boolean("fsync", default=True),
)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["-RC"], {"recursive": True, "checksum": True}),
        (["--recursive=false"], {"recursive": True}),
        (["--recursive="], {"recursive": True}),
        (["-Rb", "main"], {"recursive": True, "branch": "main"}),
        (["-bR", "main"], {"recursive": True, "branch": "main"}),
        (["-v"], {"view": True, "verbose": True}),
        (["--verbose"], {"view": False, "verbose": True}),
        (["--branch", "--"], {"branch": "--"}),
        (["--branch", "-1"], {"branch": "-1"}),
        (["--branch="], {"branch": ""}),
        (["--branch=a=b"], {"branch": "a=b"}),
        (["--branch=a", "-b", "b"], {"branch": "b"}),
        (["--tree=a", "--tree", "b"], {"tree": ("a", "b")}),
        ([], {"tree": (), "depth": None, "branch": None, "fsync": True, "checksum": False}),
        (["--fsync=NO"], {"fsync": False}),
        (["--fsync=none"], {"fsync": False}),
        (["--fsync", "Yes"], {"fsync": True}),
        (["--repo=\udcff"], {"repo": "\udcff"}),
        (["--depth=-0x10"], {"depth": -16}),
        (["-d", " 010"], {"depth": 8}),
    ],
    ids=repr,
)
def test_parse_options_give_values(arguments: list[str], values: dict[str, object]) -> None:
    parsed = parse(OPTIONS, arguments, charset="utf-8")
    assert {name: parsed.values[name] for name in values} == values
    assert parsed.positionals == ()


@pytest.mark.parametrize(
    ("arguments", "positionals"),
    [
        (["a", "-R", "b"], ("a", "b")),
        (["-", "x"], ("-", "x")),
        (["--", "-R", "a"], ("-R", "a")),
        (["a", "--", "b", "--", "c"], ("a", "b", "--", "c")),
        (["", "x"], ("", "x")),
    ],
    ids=repr,
)
def test_parse_other_words_are_positionals(
    arguments: list[str], positionals: tuple[str, ...]
) -> None:
    assert parse(OPTIONS, arguments, charset="utf-8").positionals == positionals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foo=1"], "Unknown option --foo=1"),
        (["--bran=x"], "Unknown option --bran=x"),
        (["--help=x"], "Unknown option --help=x"),
        (["-Rx"], "Unknown option -Rx"),
        (["-R=x"], "Unknown option -R=x"),
        (["-bmain"], "Missing argument for -b"),
        (["-depth", "1"], "Unknown option -depth"),
        (["-xh"], "Unknown option -xh"),
        (["--foo", "--help"], "Unknown option --foo"),
        (["--subject"], "Missing argument for --subject"),
        (["-Rs"], "Missing argument for -s"),
        (["-sb", "a", "b"], "Error parsing option -b"),
        (["--depth=abc"], "Cannot parse integer value “abc” for --depth"),
        (["-d", ""], "Cannot parse integer value “” for -d"),
        (["--depth=99999999999"], "Integer value “99999999999” for --depth out of range"),
        (["--fsync=maybe"], "Invalid boolean argument 'maybe'"),
        (["--subject=\udcff"], "Invalid byte sequence in conversion input"),
    ],
    ids=repr,
)
def test_parse_bad_options_raise_the_familiar_message(arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(OPTIONS, arguments, charset="utf-8")
    assert str(caught.value) == message


@pytest.mark.parametrize("word", ["-h", "-?", "--help", "--help-all", "-Rh"])
def test_parse_help_wins_over_later_errors(word: str) -> None:
    with pytest.raises(HelpRequested):
        parse(OPTIONS, ["-R", word, "--nonsense"], charset="utf-8")


def test_parse_text_must_fit_the_locale() -> None:
    with pytest.raises(OptionError, match="Invalid byte sequence"):
        parse(OPTIONS, ["--subject=é"], charset="ascii")
    assert parse(OPTIONS, ["--repo=é"], charset="ascii").values["repo"] == "é"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0),
        ("+5", 5),
        ("-010", -8),
        ("0X1f", 31),
        ("\t 7", 7),
        ("00", 0),
        ("-2147483648", -(2**31)),
    ],
)
def test_parse_integer_reads_c_numbers(value: str, number: int) -> None:
    assert parse_integer(value, "-d") == number


@pytest.mark.parametrize(
    "value", ["", "-", "0x", "08", "1_0", "1 ", "--1", "+-1", "0o7", "٣", "1e3", "0x-1"]
)
def test_parse_integer_refuses_the_rest(value: str) -> None:
    with pytest.raises(OptionError, match="Cannot parse integer"):
        parse_integer(value, "-d")


@given(st.lists(st.text(alphabet="-=hRCbsvd?0x1 é\udcff", max_size=6), max_size=6))
def test_parse_any_words_give_values_or_an_option_error(arguments: list[str]) -> None:
    try:
        parsed = parse(OPTIONS, arguments, charset="utf-8")
    except (OptionError, HelpRequested):
        return
    assert set(parsed.values) == {option.dest for option in OPTIONS}
