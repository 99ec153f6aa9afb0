"""Which loose objects a repository has, from the names of their files."""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir

_TYPES = {
    "dirtree": ObjectType.DIRTREE,
    "dirmeta": ObjectType.DIRMETA,
    "commit": ObjectType.COMMIT,
    "payload-link": ObjectType.PAYLOAD_LINK,
}
_REST_DIGITS = 62


def iter_loose(objects: Dir, content_extension: str, prefix: str = "") -> Iterator[ObjectName]:
    """Yield the objects in ``objects/`` whose textual checksum starts with `prefix`.

    Types that the reference does not list, and files that are no objects, are passed over.
    """
    for number in range(256):
        first = f"{number:02x}"
        if first[: len(prefix)] != prefix[:2] or not objects.is_dir(first, follow=False):
            continue
        with objects.open_dir(first) as directory:
            names = directory.list()
        for name in names:
            found = _parse(first, name, content_extension)
            if found is not None and name.startswith(prefix[2:]):
                yield found


def _parse(first: str, name: str, content_extension: str) -> ObjectName | None:
    rest, _, extension = name.rpartition(".")
    if len(rest) != _REST_DIGITS or rest != rest.lower():
        return None
    kind = ObjectType.FILE if extension == content_extension else _TYPES.get(extension)
    if kind is None:
        return None
    try:
        return ObjectName(Checksum(bytes.fromhex(first + rest)), kind)
    except ValueError:
        return None
