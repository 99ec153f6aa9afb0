"""Payload links: objects with equal content but other metadata share their blocks.

```
objects/PP/REST.payload-link -> ../CC/REST.file
```

PP and REST spell the SHA-256 of the content alone, the target is one object that has it. They help
only where files can share blocks, and only if the configuration asks for them.
"""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

from pyostree.formats.file_header import FileHeader
from pyostree.formats.objects import Checksum, is_checksum, loose_path, parse_checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.fs.kernel import clone_file
from pyostree.fs.tempfile import TempFile
from pyostree.repo.config_values import NO_PAYLOAD_LINKS
from pyostree.repo.modes import RepoMode

if TYPE_CHECKING:
    from pyostree.repo.store.base import ObjectStore

_MODES = (RepoMode.BARE, RepoMode.BARE_USER)


def parse_payload_link(target: str) -> Checksum | None:
    """Return the content object to which a payload link leads; None if it leads elsewhere."""
    text = target.removeprefix("../").removesuffix(".file").replace("/", "", 1)
    is_usual = is_checksum(text) and target == f"../{text[:2]}/{text[2:]}.file"
    return parse_checksum(text) if is_usual else None


class PayloadLinks:
    """The payload links of one store; may be used from several threads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._can_clone: bool | None = None

    def min_bytes(self) -> int:
        """Return the size from which on content is shared; `NO_PAYLOAD_LINKS` where it cannot."""
        wanted = self._store.settings.payload_link_min_bytes
        return wanted if wanted == NO_PAYLOAD_LINKS or self._works() else NO_PAYLOAD_LINKS

    def apply_to(self, header: FileHeader, size: int) -> bool:
        """Tell whether content of `size` bytes is to be shared with equal content."""
        settings = self._store.settings
        if size < settings.payload_link_min_bytes or settings.mode not in _MODES:
            return False
        return stat.S_ISREG(header.mode) and self._works()

    def _works(self) -> bool:
        if self._can_clone is None:
            with TempFile(self._store.temp) as one, TempFile(self._store.temp) as other:
                one.write(b"clone")
                self._can_clone = clone_file(one.fd, other.fd)
        return self._can_clone

    def share(self, payload: Checksum, tmp: TempFile, size: int) -> bool:
        """Give `tmp` the content that hashes to `payload`; return False when there is none yet."""
        path = loose_path(payload, "payload-link")
        for place in self._store.places():
            found = _read_link(place, path)
            if found is None:
                continue
            with_file = loose_path(found, "file")
            for holder in self._store.places():
                status = holder.try_stat(with_file)
                if status is not None:
                    return _clone_checked(holder, with_file, payload, tmp, size)
            place.remove(path, missing_ok=True)
        return False

    def record(self, payload: Checksum, checksum: Checksum) -> None:
        """Note that the object `checksum`, which is new, has the content `payload`."""
        path = loose_path(payload, "payload-link")
        destination = self._store.destination()
        destination.make_dir(path[:2], exist_ok=True)
        try:
            destination.symlink(f"../{loose_path(checksum, 'file')}", path)
        except FileExistsError:
            return


def _read_link(place: Dir, path: str) -> Checksum | None:
    status = place.try_stat(path)
    if status is None or not stat.S_ISLNK(status.st_mode):
        return None
    return parse_payload_link(place.read_link(path))


def _clone_checked(place: Dir, path: str, payload: Checksum, tmp: TempFile, size: int) -> bool:
    """Clone an object if it is what the link says: damage must not spread."""
    with InputFile.open(place, path) as source:
        if source.status().st_size != size:
            return False
        digest = hashlib.sha256()
        for chunk in source.chunks():
            digest.update(chunk)
        return digest.digest() == payload and clone_file(source.fd, tmp.fd)
