"""`EngineDemand`: signatures by engines that a remote asks for, and the keys that count for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyostree.closing import Closing
from pyostree.errors import ConfigError, OstreeError, VerificationError, describe
from pyostree.formats.commit import Metadata
from pyostree.formats.objects import Checksum
from pyostree.remote.endpoints import is_engine_demanded
from pyostree.remote.remotes import Remotes
from pyostree.sign.detached import check_signed, signatures_under
from pyostree.sign.engine import Engine, Success, Verifier, all_engines, find_engine
from pyostree.sign.trust import TrustedKeys, load_key_file

FOR_COMMITS, FOR_SUMMARY = "sign-verify", "sign-verify-summary"
_ANY = ("true", "1")


class EngineDemand(Closing):
    """What asks for a good signature by one of some engines; a context manager.

    Args:
        verifiers: in the order in which they are asked, each with the keys that count.
    """

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        if not verifiers:
            raise ValueError("nothing could meet a demand without engines")
        self._verifiers = tuple(verifiers)

    def close(self) -> None:
        """Close the verifiers."""
        for verifier in self._verifiers:
            verifier.close()

    def check_fetched(self, data: bytes, metadata: Metadata | None) -> Success:
        """Let a commit pass that has just come, or not; return what is to be said of it.

        Args:
            metadata: its detached metadata; None when there is none.

        Raises:
            VerificationError: no engine finds a good signature by a key that counts.
        """
        if metadata is None:
            raise VerificationError("Can't verify commit without detached metadata")
        try:
            return self.check_signed(data, metadata)
        except VerificationError as err:
            raise VerificationError(f"Can't verify commit: {err}") from err

    def check_stored(self, checksum: Checksum, data: bytes, metadata: Metadata | None) -> Success:
        """Do the same for a commit that is in a repository (arguments as `check_fetched`)."""
        found, failures = _ask(self._verifiers, data, metadata)
        if found is None:
            raise VerificationError(f"Can't verify commit {checksum}: {failures[0]}")
        return found

    def check_signed(self, data: bytes, metadata: Metadata) -> Success:
        """Do the same for a summary or static delta, whose signatures are in `metadata`.

        Only engines for which there are signatures are asked.
        """
        concerned = [
            verifier
            for verifier in self._verifiers
            if signatures_under(metadata, verifier.metadata_key) is not None
        ]
        if not concerned:
            raise VerificationError("No signatures found")
        found, failures = _ask(concerned, data, metadata)
        if found is None:
            others = len(failures) - 1
            prefix = f"({others} other invalid signatures): " if others else ""
            raise VerificationError(f"{prefix}{failures[0]}")
        return found


def read_engine_demand(remotes: Remotes, name: str, option: str) -> EngineDemand | None:
    """Return what a remote demands by ``sign-verify`` or ``sign-verify-summary``, if anything.

    Of a repository that is named by its URL nothing is demanded. The keys are read now.

    Args:
        option: `FOR_COMMITS` or `FOR_SUMMARY`.

    Raises:
        RemoteNotFoundError: no such remote.
        UnsupportedError: it names an engine that there is not.
        ConfigError: keys cannot be read, or it names an engine that has none.
    """
    if not is_engine_demanded(remotes, name, option):
        return None
    owner = remotes.key_owner(name)
    if remotes.get(name, option) in _ANY:
        return _demand((engine, read_keys(remotes, owner, engine)) for engine in all_engines())
    # `remote add` of the reference joins names by commas, one for each key, and itself reads
    # semicolons only; of these it asks an engine that is named twice twice.
    items = remotes.get_list(name, option) or ()
    names = [one for item in items for one in dict.fromkeys(item.split(","))]
    engines = list(map(find_engine, names))
    return _demand((engine, _require_keys(remotes, owner, engine)) for engine in engines)


def _demand(engines: Iterable[tuple[Engine, TrustedKeys]]) -> EngineDemand:
    # Where none are configured, those of this machine count.
    return EngineDemand(
        [engine.open_verifier(keys if keys.trusted else None) for engine, keys in engines]
    )


def _require_keys(remotes: Remotes, owner: str, engine: Engine) -> TrustedKeys:
    keys = read_keys(remotes, owner, engine)
    if not keys.trusted:
        raise ConfigError(f"No keys found for required signapi type {engine.name}")
    return keys


def read_keys(remotes: Remotes, owner: str, engine: Engine) -> TrustedKeys:
    """Return the keys that are configured for an engine, which may be none.

    Raises:
        RemoteNotFoundError: no such remote.
        ConfigError: they cannot be read.
    """
    path = remotes.get(owner, f"verification-{engine.name}-file")
    text = remotes.get(owner, f"verification-{engine.name}-key")
    keys = TrustedKeys()
    try:
        if path is not None:
            keys = load_key_file(engine, path)
    except (OstreeError, OSError) as err:
        raise _unusable(f"Failed loading '{engine.name}' keys from '{path}", err) from err
    try:
        return keys if text is None else keys.with_key(engine.parse_public_key(text))
    except OstreeError as err:
        what = f"Failed loading '{engine.name}' keys from inline `verification-key`"
        raise _unusable(what, err) from err


def _unusable(message: str, reason: Exception) -> ConfigError:
    err = ConfigError(message)
    err.hint = describe(reason)
    return err


def _ask(
    verifiers: Sequence[Verifier], data: bytes, metadata: Metadata | None
) -> tuple[Success | None, list[str]]:
    """Return what the first content verifier says, or None and why no one is content."""
    failures = []
    for verifier in verifiers:
        try:
            return check_signed(verifier, data, metadata), []
        except (OstreeError, OSError) as err:
            failures.append(describe(err))
    return None, failures
