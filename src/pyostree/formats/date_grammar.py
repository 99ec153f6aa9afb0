"""Grammar of dates as GNU ``date -d`` takes them: text to a record of what was said.

A text is items in any order: a date, a time, a weekday, a zone, offsets. Which of two readings wins
is decided as the reference's LALR parser does: the longer item (a shift) wins over its end.
"""

from __future__ import annotations

import string
from collections.abc import Iterator

from pyostree.errors import FormatError
from pyostree.formats.date_words import Kind, Token, look_up

NS = 1_000_000_000
_MAX_INTEGER = 2**63 - 1
_SPACES = " \t\n\v\f\r"
_LETTERS = frozenset(string.ascii_letters)
_DIGITS = frozenset(string.digits)
_MINUTES_PER_HOUR = 60
_MAX_ZONE_MINUTES = 24 * 60
_END = Token(Kind.END)
_NANO_DIGITS = 9


class Stated:
    """What a text says; counts tell how often a kind of item was seen."""

    __slots__ = (
        "date", "dates", "day_number", "day_ordinal", "days", "hour", "local_zone", "local_zones",
        "meridian", "minute", "rel_day", "rel_month", "rel_ns", "rel_year", "rels", "seconds_ns",
        "times", "timestamp_ns", "year_digits", "zone_minutes", "zones",
    )  # fmt: skip

    def __init__(self) -> None:
        self.timestamp_ns: int | None = None  # set by @SECONDS, which stands alone
        self.dates = self.times = self.days = self.zones = self.local_zones = self.rels = 0
        self.date: tuple[int | None, int, int] = (None, 1, 1)  # year (None: this one), month, day
        self.year_digits = 0
        self.hour = self.minute = self.seconds_ns = 0
        self.meridian: int | None = None  # 0 am, 1 pm
        self.day_ordinal = self.day_number = 0
        self.zone_minutes = 0  # east of Greenwich
        self.local_zone: str | None = None
        self.rel_year = self.rel_month = self.rel_day = self.rel_ns = 0

    def set_date(self, year: Token | None, month: int, day: int) -> None:
        """Note a date; `year` is None when only month and day are given."""
        self.dates += 1
        if year is None:
            self.date = (None, month, day)
        else:
            self.set_year(abs(year.value), year.digits, month, day)

    def set_year(self, year: int, digits: int, month: int, day: int) -> None:
        """Note year, month and day; a year of two digits lies between 1969 and 2068."""
        if digits == 2:  # noqa: PLR2004
            year += 2000 if year < 69 else 1900  # noqa: PLR2004
        self.date = (year, month, day)
        self.year_digits = digits

    def set_time(self, hour: int, minute: int, seconds_ns: int, meridian: int | None) -> None:
        """Note a time of day."""
        self.times += 1
        self.hour, self.minute, self.seconds_ns, self.meridian = hour, minute, seconds_ns, meridian

    def set_day(self, ordinal: int, number: int) -> None:
        """Note a weekday, Sunday being 0."""
        self.days += 1
        self.day_ordinal, self.day_number = ordinal, number

    def set_zone(self, minutes: int, base: int = 0) -> None:
        """Note a zone as far from `base`; an absurd one counts twice, and is refused later."""
        self.zones += 1 if abs(minutes) <= _MAX_ZONE_MINUTES else 2
        self.zone_minutes = base + minutes

    def add(self, unit: Token, count_ns: int) -> None:
        """Add an offset of `count_ns` thousand millionths of `unit`."""
        self.rels += 1
        if unit.text == "second":
            self.rel_ns += count_ns * unit.value
            return
        count = count_ns // NS * unit.value
        if unit.text == "day":
            self.rel_day += count
        elif unit.text == "month":
            self.rel_month += count
        else:
            self.rel_year += count


def tokenize(text: str, local_zones: tuple[str, ...]) -> Iterator[Token]:
    """Yield the tokens of `text`, without the end.

    Raises:
        FormatError: an unknown word, or a number beyond 64 bits.
    """
    position = 0
    while position < len(text):
        char = text[position]
        if char in _SPACES:
            position += 1
        elif char == "(":
            position = _skip_comment(text, position)
        elif char in _LETTERS:
            end = _span(text, position, _LETTERS | {"."})
            token = look_up(text[position:end].upper(), local_zones)
            if token is None:
                raise FormatError(f"unknown word {text[position:end]}")
            yield token
            position = end
        elif char in _DIGITS or char in "+-":
            found, position = _scan_number(text, position)
            if found is not None:
                yield found
        else:
            yield Token(Kind.PUNCTUATION, text=char)
            position += 1


def _span(text: str, start: int, allowed: frozenset[str] | set[str]) -> int:
    end = start
    while end < len(text) and text[end] in allowed:
        end += 1
    return end


def _skip_comment(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        if text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position + 1
    return len(text)


def _scan_number(text: str, position: int) -> tuple[Token | None, int]:
    """Return the number at `position`, and where it ends; a sign before no digit is skipped."""
    sign = 0
    if text[position] in "+-":
        sign = -1 if text[position] == "-" else 1
        position = _span(text, position + 1, frozenset(_SPACES))
        if position == len(text) or text[position] not in _DIGITS:
            return None, position
    end = _span(text, position, _DIGITS)
    value = int(text[position:end]) if end - position < 40 else _MAX_INTEGER + 1  # noqa: PLR2004
    if value > _MAX_INTEGER + (sign < 0):
        raise FormatError("number too large")
    value *= sign or 1
    if end + 1 < len(text) and text[end] in ".," and text[end + 1] in _DIGITS:
        start, end = end + 1, _span(text, end + 1, _DIGITS)
        fraction = text[start:end]
        nanos = int(fraction[:_NANO_DIGITS].ljust(_NANO_DIGITS, "0")) * (sign or 1)
        if sign < 0 and fraction[_NANO_DIGITS:].strip("0"):
            nanos -= 1  # towards minus infinity
        kind = Kind.SIGNED_DECIMAL if sign else Kind.UNSIGNED_DECIMAL
        return Token(kind, value * NS + nanos), end
    kind = Kind.SIGNED if sign else Kind.UNSIGNED
    return Token(kind, value, end - position, "-" if sign < 0 else ""), end


class Parser:
    """Reads tokens into a `Stated`; every method takes one item or a part of one."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self._tokens = list(tokens)
        self._at = 0
        self.stated = Stated()

    def parse(self) -> Stated:
        """Return what the text says.

        Raises:
            FormatError: the tokens follow no rule.
        """
        if self._is_sign("@"):
            self._next()
            self.stated.timestamp_ns = self._seconds(signed=True)
            self._expect(Kind.END)
            return self.stated
        while self._peek().kind is not Kind.END:
            self._item()
        return self.stated

    # -- tokens --------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> Token:
        position = self._at + ahead
        return self._tokens[position] if position < len(self._tokens) else _END

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, *kinds: Kind) -> Token:
        token = self._next()
        if token.kind not in kinds:
            raise FormatError(f"unexpected {token.text or token.value}")
        return token

    def _is_sign(self, char: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        return token.kind is Kind.PUNCTUATION and token.text == char

    def _take_sign(self, char: str) -> bool:
        found = self._is_sign(char)
        if found:
            self._next()
        return found

    def _seconds(self, *, signed: bool) -> int:
        kinds = [Kind.UNSIGNED, Kind.UNSIGNED_DECIMAL]
        if signed:
            kinds += [Kind.SIGNED, Kind.SIGNED_DECIMAL]
        token = self._expect(*kinds)
        is_whole = token.kind in (Kind.UNSIGNED, Kind.SIGNED)
        return token.value * NS if is_whole else token.value

    # -- items ---------------------------------------------------------------------------

    def _item(self) -> None:
        token = self._next()
        match token.kind:
            case Kind.UNSIGNED:
                self._number_item(token)
            case Kind.MONTH:
                self._month_item(token)
            case Kind.WEEKDAY:
                self._take_sign(",")
                self.stated.set_day(0, token.value)
            case Kind.ORDINAL if self._peek().kind is Kind.WEEKDAY:
                self.stated.set_day(token.value, self._next().value)
            case Kind.ORDINAL | Kind.SIGNED:
                self._offset(self._expect(Kind.UNIT), token.value * NS)
            case Kind.SIGNED_DECIMAL | Kind.UNSIGNED_DECIMAL:
                self._decimal_offset(token)
            case Kind.UNIT:
                self._offset(token, NS)
            case Kind.DAY_SHIFT:
                self.stated.add(Token(Kind.UNIT, 1, text="day"), token.value * NS)
            case Kind.ZONE | Kind.DAYLIGHT_ZONE | Kind.LOCAL_ZONE:
                self._zone_item(token)
            case _:
                raise FormatError(f"unexpected {token.text or token.value}")

    def _number_item(self, number: Token) -> None:
        following = self._peek()
        if following.kind is Kind.MERIDIAN:
            self.stated.set_time(number.value, 0, 0, self._next().value)
        elif self._is_sign(":"):
            self._clock(number, with_meridian=True)
        elif self._is_sign("/"):
            self._slashed_date(number)
        elif following.kind is Kind.WEEKDAY:
            self.stated.set_day(number.value, self._next().value)
        elif following.kind is Kind.MONTH:
            month = self._next()
            has_year = self._peek().kind in (Kind.SIGNED, Kind.UNSIGNED)
            self.stated.set_date(self._next() if has_year else None, month.value, number.value)
        elif following.kind is Kind.UNIT:
            self._offset(self._next(), number.value * NS)
        elif following.kind is Kind.SIGNED:
            self._number_then_signed(number)
        else:
            self._bare_number(number)

    def _number_then_signed(self, number: Token) -> None:
        after = self._peek(1).kind
        if after is Kind.SIGNED:
            month, day = self._next(), self._next()
            self.stated.set_date(number, -month.value, -day.value)
            if self._peek().text == "T":
                self._next()
                self._clock(self._expect(Kind.UNSIGNED), with_meridian=False)
        elif after is Kind.UNIT:
            signed = self._next()
            self._bare_number(number)
            self.stated.add(self._next(), signed.value * NS)
        else:
            self._clock(number, with_meridian=False)

    def _clock(self, hour: Token, *, with_meridian: bool) -> None:
        """Read what follows the hour: ``:MM[:SS]``, then am, pm, or a signed zone."""
        minute = seconds_ns = 0
        if self._take_sign(":"):
            minute = self._expect(Kind.UNSIGNED).value
            if self._take_sign(":"):
                seconds_ns = self._seconds(signed=False)
        elif self._peek().kind is not Kind.SIGNED:
            raise FormatError("an hour alone is no time")
        if with_meridian and self._peek().kind is Kind.MERIDIAN:
            self.stated.set_time(hour.value, minute, seconds_ns, self._next().value)
            return
        self.stated.set_time(hour.value, minute, seconds_ns, None)
        if self._peek().kind is Kind.SIGNED:
            self.stated.set_zone(self._zone_offset())

    def _zone_offset(self) -> int:
        """Return the minutes that ``+HH``, ``+HHMM`` or ``+HH:MM`` stand for."""
        signed = self._next()
        sign = -1 if signed.text == "-" else 1  # the value of "-00" does not tell
        size = abs(signed.value)
        if self._take_sign(":"):
            return sign * (size * _MINUTES_PER_HOUR + self._expect(Kind.UNSIGNED).value)
        if signed.digits <= 2:  # noqa: PLR2004
            size *= 100
        hours, minutes = divmod(size, 100)
        return sign * (hours * _MINUTES_PER_HOUR + minutes)

    def _slashed_date(self, first: Token) -> None:
        self._next()
        second = self._expect(Kind.UNSIGNED)
        if not self._take_sign("/"):
            self.stated.set_date(None, first.value, second.value)
            return
        third = self._expect(Kind.UNSIGNED)
        if first.digits >= 4:  # noqa: PLR2004
            self.stated.set_date(first, second.value, third.value)
        else:
            self.stated.set_date(third, first.value, second.value)

    def _month_item(self, month: Token) -> None:
        day = self._expect(Kind.SIGNED, Kind.UNSIGNED)
        if day.kind is Kind.SIGNED:
            self.stated.set_date(self._expect(Kind.SIGNED), month.value, -day.value)
        elif self._take_sign(","):
            self.stated.set_date(self._expect(Kind.UNSIGNED), month.value, day.value)
        else:
            self.stated.set_date(None, month.value, day.value)

    def _bare_number(self, number: Token) -> None:
        stated, value = self.stated, number.value
        awaits_year = stated.dates and not stated.year_digits and not stated.rels
        if awaits_year and (stated.times or number.digits > 2):  # noqa: PLR2004
            stated.set_year(value, number.digits, stated.date[1], stated.date[2])
        elif number.digits > 4:  # noqa: PLR2004
            stated.dates += 1
            month_day = divmod(value % 10000, 100)
            stated.set_year(value // 10000, number.digits - 4, *month_day)
        elif number.digits <= 2:  # noqa: PLR2004
            stated.set_time(value, 0, 0, None)
        else:
            stated.set_time(value // 100, value % 100, 0, None)

    def _offset(self, unit: Token, count_ns: int) -> None:
        if self._peek().kind is Kind.DIRECTION:
            count_ns *= self._next().value
        self.stated.add(unit, count_ns)

    def _decimal_offset(self, count: Token) -> None:
        unit = self._expect(Kind.UNIT)
        if unit.text != "second" or unit.value != 1:
            raise FormatError("only seconds have fractions")
        self._offset(unit, count.value)

    def _zone_item(self, zone: Token) -> None:
        stated = self.stated
        if zone.kind is Kind.LOCAL_ZONE:
            is_daylight = self._take_daylight()
            stated.local_zones += 1
            stated.local_zone = f"{zone.text} DST" if is_daylight else zone.text
        elif zone.kind is Kind.DAYLIGHT_ZONE:
            stated.set_zone(zone.value + _MINUTES_PER_HOUR)
        elif self._peek().kind is Kind.SIGNED and self._peek(1).kind is Kind.UNIT:
            count = self._next()
            stated.set_zone(zone.value)
            stated.add(self._next(), count.value * NS)
        elif self._peek().kind is Kind.SIGNED and zone.text != "T":
            stated.set_zone(self._zone_offset(), base=zone.value)
        elif zone.text != "T" and self._take_daylight():
            stated.set_zone(zone.value + _MINUTES_PER_HOUR)
        else:
            stated.set_zone(zone.value)

    def _take_daylight(self) -> bool:
        found = self._peek().kind is Kind.DAYLIGHT
        if found:
            self._next()
        return found
