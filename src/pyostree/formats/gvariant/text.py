"""The GVariant text format, loaded on first use: most commands start without needing it."""

from __future__ import annotations

from pyostree.formats.gvariant.variant import Value, Variant


def format_text(type: str, value: Value, *, annotate: bool = True) -> str:  # noqa: A002
    """Return `value` in text.

    Args:
        annotate: add types (``uint32 5``, ``@as []``) so that parsing the text gives the same
            type. In an array only the first element has them. The content of variants always does.
    """
    from pyostree.formats.gvariant.text_format import format_value
    from pyostree.formats.gvariant.types import parse_type

    return format_value(parse_type(type), value, annotate)


def parse_text(text: str) -> Variant:
    """Return the value that `text` describes, with the type found from the text.

    Raises:
        FormatError: the message is GLib's, ``POSITION:REASON`` or ``START-END:REASON``; positions
            count bytes of UTF-8.
    """
    from pyostree.formats.gvariant.text_parse import parse_whole

    return parse_whole(text)
