"""Finding the common type of GVariant literals.

A *pattern* is a type string of a literal whose type is not quite known. Beside the type characters
it has ``N`` for any number type, ``S`` for ``s``, ``o`` or ``g``, ``*`` for one type of any kind,
and ``M`` for nothing or any number of ``m``.
"""

from __future__ import annotations

_NUMBER_KINDS = "ynqiuxthd"
_TEXT_KINDS = "sog"


def merge_patterns(left: str, right: str) -> str | None:
    """Return the pattern of what both patterns allow, or None if there is no such type."""
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            merged.append(left[i])
            i, j = i + 1, j + 1
        elif (step := _merge_step(left, i, right, j)) is not None:
            text, i, j = step
            merged.append(text)
        elif (step := _merge_step(right, j, left, i)) is not None:
            text, j, i = step
            merged.append(text)
        else:
            return None
    return "".join(merged) if i == len(left) and j == len(right) else None


def resolve_pattern(pattern: str) -> str | None:
    """Return the type a pattern means without further knowledge, or None if it leaves a gap."""
    if "*" in pattern:
        return None
    return pattern.replace("M", "").replace("S", "s").replace("N", "i")


def _merge_step(one: str, i: int, other: str, j: int) -> tuple[str, int, int] | None:
    # What `one` says is vague here: take over what `other` says.
    vague, exact = one[i], other[j]
    if vague == "*" and exact != ")":
        end = _pattern_end(other, j)
        return other[j:end], i + 1, end
    if vague == "M" and exact == "m":
        return "m", i, j + 1
    if vague == "M" and exact != "*":
        return "", i + 1, j
    if (vague == "N" and exact in _NUMBER_KINDS) or (vague == "S" and exact in _TEXT_KINDS):
        return exact, i + 1, j + 1
    return None


def _pattern_end(pattern: str, start: int) -> int:
    end = start
    while pattern[end] in "amM":
        end += 1
    open_brackets = 0
    while True:
        if pattern[end] in "({":
            open_brackets += 1
        elif pattern[end] in ")}":
            open_brackets -= 1
        end += 1
        if open_brackets == 0:
            return end
