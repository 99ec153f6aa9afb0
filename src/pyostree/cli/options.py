"""The words in which a command module describes its command line.

A module's ``OPTIONS`` is a tuple of what the functions here return. Each of them fills the field of
the module's ``Args`` that has the option's name, ``-`` written ``_`` (or `dest`, where the name is
taken).
"""

from __future__ import annotations

from pyostree.errors import OstreeError

FLAG = "flag"
TEXT = "text"
FILENAME = "filename"
INTEGER = "integer"
BOOLEAN = "boolean"


class UsageError(OstreeError):
    """Positionals are missing or contradict: the usage text is printed before the message.

    Attributes:
        spaced: an empty line separates the two; a few commands of the reference lack it.
    """

    def __init__(self, message: str, *, spaced: bool = True) -> None:
        super().__init__(message)
        self.spaced = spaced


class Option:
    """One ``--name``, as declared; plain slots, because commands with 60 of them start often."""

    __slots__ = ("default", "dest", "help", "hidden", "kind", "many", "metavar", "name", "short")

    def __init__(self, name: str, short: str, kind: str, **details: object) -> None:
        self.name = name
        self.short = short
        self.kind = kind
        self.help = str(details.get("help", ""))
        self.metavar = str(details.get("metavar", ""))
        self.dest = str(details.get("dest") or name.replace("-", "_"))
        self.default = details.get("default")
        self.hidden = bool(details.get("hidden"))
        self.many = bool(details.get("many"))

    def __repr__(self) -> str:
        return f"<{self.kind} option --{self.name}>"


class Positional:
    """One argument without a dash, or with `many` all that remain."""

    __slots__ = ("dest", "many", "missing", "plain")

    def __init__(self, dest: str, *, missing: str = "", many: bool, plain: bool) -> None:
        self.dest = dest
        self.missing = missing
        self.many = many
        self.plain = plain


def flag(name: str, short: str = "", **details: object) -> Option:
    """Declare an option without a value; the field is a bool.

    Args:
        name: long name without the dashes.
        short: the letter after one dash.
        details: `help`, `metavar`, `dest`, `default`, `hidden`, in all functions here.
    """
    return Option(name, short, FLAG, default=False, **details)


def text(name: str, short: str = "", **details: object) -> Option:
    """Declare an option whose string must fit the locale; the field is ``str | None``."""
    return Option(name, short, TEXT, **details)


def texts(name: str, short: str = "", **details: object) -> Option:
    """Declare a repeatable `text`; the field is ``tuple[str, ...]``."""
    return Option(name, short, TEXT, many=True, **details)


def filename(name: str, short: str = "", **details: object) -> Option:
    """Declare an option with a path, any bytes (surrogate-escaped); the field is ``str | None``."""
    return Option(name, short, FILENAME, **details)


def filenames(name: str, short: str = "", **details: object) -> Option:
    """Declare a repeatable `filename`; the field is ``tuple[str, ...]``."""
    return Option(name, short, FILENAME, many=True, **details)


def integer(name: str, short: str = "", **details: object) -> Option:
    """Declare an option with a 32-bit number; the field is ``int``, or `default` (None)."""
    return Option(name, short, INTEGER, **details)


def boolean(name: str, short: str = "", **details: object) -> Option:
    """Declare an option with a yes/no word as value; the field is ``bool``, or `default` (None)."""
    return Option(name, short, BOOLEAN, **details)


def positional(dest: str, *, missing: str = "", plain: bool = False) -> Positional:
    """Declare the next positional; the field is ``str``, or ``str | None`` without `missing`.

    Args:
        dest: name of the field.
        missing: message when it is not given; empty: it is optional and the field is None.
        plain: the message comes without the usage text.
    """
    return Positional(dest, missing=missing, many=False, plain=plain)


def positionals(dest: str, *, missing: str = "", plain: bool = False) -> Positional:
    """Declare all remaining positionals; the field is ``tuple[str, ...]``.

    Args:
        dest: name of the field.
        missing: message when there is none; empty: there may be none.
        plain: the message comes without the usage text.
    """
    return Positional(dest, missing=missing, many=True, plain=plain)


VERBOSE = flag("verbose", "v", help="Show what happens inside, for debugging", dest="_verbose")
VERSION = flag("version", help="Show the version and the features of this build", dest="_version")
