"""The option parser: the rules and messages of GLib's, which scripts and tests rely on."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.cli.options import BOOLEAN, FLAG, INTEGER, TEXT, Option
from pyostree.errors import OstreeError

_INT_MIN = -(1 << 31)
_INT_MAX = (1 << 31) - 1
_TRUE_WORDS = ("1", "true", "yes")
_FALSE_WORDS = ("0", "false", "no", "none")
_C_SPACE = " \t\n\v\f\r"


class OptionError(OstreeError):
    """An option is unknown, lacks its value or has a bad one."""


class HelpRequested(Exception):  # noqa: N818 - not an error
    """``--help`` was reached before any error."""


class Parsed:
    """What the arguments say: a value for each option's `dest`, and the positionals."""

    __slots__ = ("positionals", "values")

    def __init__(self, values: dict[str, object], positionals: tuple[str, ...]) -> None:
        self.values = values
        self.positionals = positionals


def parse(options: Sequence[Option], arguments: Sequence[str], *, charset: str) -> Parsed:
    """Parse `arguments` (without the program's and command's names).

    Args:
        options: the known options; of two with the same long name the first wins, two with the same
            letter are both set.
        arguments: options and positionals in any order; the first ``--`` ends the options.
        charset: codec of the locale, which text values must fit.

    Raises:
        OptionError: with the message that users of the reference know.
        HelpRequested: a help option was reached.
    """
    parser = _Parser(options, arguments, charset)
    positionals: list[str] = []
    while (word := parser.take()) is not None:
        if word == "--":
            positionals += parser.take_rest()
        elif word.startswith("--"):
            parser.long(word)
        elif word.startswith("-") and word != "-":
            parser.cluster(word)
        else:
            positionals.append(word)
    return Parsed(parser.values(), tuple(positionals))


class _Parser:
    __slots__ = ("_arguments", "_charset", "_given", "_lists", "_options", "_position")

    def __init__(self, options: Sequence[Option], arguments: Sequence[str], charset: str) -> None:
        self._options = options
        self._arguments = arguments
        self._charset = charset
        self._position = 0
        self._given: dict[str, object] = {}
        self._lists: dict[str, list[object]] = {o.dest: [] for o in options if o.many}

    def take(self) -> str | None:
        if self._position == len(self._arguments):
            return None
        self._position += 1
        return self._arguments[self._position - 1]

    def take_rest(self) -> Sequence[str]:
        rest = self._arguments[self._position :]
        self._position = len(self._arguments)
        return rest

    def values(self) -> dict[str, object]:
        defaults = {option.dest: option.default for option in self._options}
        lists = {dest: tuple(values) for dest, values in self._lists.items()}
        return defaults | lists | self._given

    def long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        if not equals and name in ("help", "help-all"):
            raise HelpRequested
        option = next((o for o in self._options if o.name == name), None)
        if option is None:
            raise OptionError(f"Unknown option {word}")
        if option.kind == FLAG:  # --flag=anything sets the flag, whatever the text says
            self._given[option.dest] = True
        else:
            self._store(option, value if equals else self._value(f"--{name}"), f"--{name}")

    def cluster(self, word: str) -> None:
        has_value = False
        for letter in word[1:]:
            if letter in "h?":
                raise HelpRequested
            matches = [o for o in self._options if o.short == letter]
            if not matches:
                raise OptionError(f"Unknown option {word}")
            for option in matches:
                if option.kind == FLAG:
                    self._given[option.dest] = True
                    continue
                if has_value:  # only one of the letters can own the next argument
                    raise OptionError(f"Error parsing option -{letter}")
                has_value = True
                self._store(option, self._value(f"-{letter}"), f"-{letter}")

    def _value(self, typed: str) -> str:
        value = self.take()
        if value is None:
            raise OptionError(f"Missing argument for {typed}")
        return value

    def _store(self, option: Option, value: str, typed: str) -> None:
        converted: object = value
        if option.kind == INTEGER:
            converted = parse_integer(value, typed)
        elif option.kind == BOOLEAN:
            converted = _parse_boolean(value)
        elif option.kind == TEXT:
            _check_text(value, self._charset)
        if option.many:
            self._lists[option.dest].append(converted)
        else:
            self._given[option.dest] = converted


def parse_integer(value: str, typed: str) -> int:
    """Return the 32-bit number that C's ``strtol`` with base 0 reads from all of `value`.

    Args:
        value: the text.
        typed: the option as typed, for the message.
    """
    number = _c_number(value.lstrip(_C_SPACE))
    if number is None:
        raise OptionError(f"Cannot parse integer value “{value}” for {typed}")
    if not _INT_MIN <= number <= _INT_MAX:
        raise OptionError(f"Integer value “{value}” for {typed} out of range")
    return number


def _c_number(value: str) -> int | None:
    negative = value.startswith("-")
    digits = value[1:] if value.startswith(("-", "+")) else value
    base = 10
    if digits[:2] in ("0x", "0X"):
        base, digits = 16, digits[2:]
    elif digits.startswith("0"):
        base = 8
    # int() alone would also take underscores, signs, blanks and other scripts' digits
    if not digits or not all(c in "0123456789abcdefABCDEF" for c in digits):
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return -number if negative else number


def _parse_boolean(value: str) -> bool:
    word = value.lower()
    if word in _TRUE_WORDS:
        return True
    if word in _FALSE_WORDS:
        return False
    raise OptionError(f"Invalid boolean argument '{value}'")


def _check_text(value: str, charset: str) -> None:
    try:
        value.encode(charset)
    except UnicodeEncodeError as err:
        raise OptionError("Invalid byte sequence in conversion input") from err
