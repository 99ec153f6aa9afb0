"""Making detached signatures with a secret key."""

from __future__ import annotations

from pyostree.errors import ConflictError, NotFoundError, OstreeError
from pyostree.fs.tempdir import private_directory
from pyostree.sign.gpg.keys import MIN_ID_LENGTH, parse_keys
from pyostree.sign.gpg.program import HOME_PREFIX, run_user
from pyostree.sign.gpg.result import METADATA_KEY
from pyostree.sign.gpg.status import parse_failure

_MAX_SIGNATURE_BYTES = 1 << 20


class GpgKey:
    """A secret key of a person.

    Args:
        key_id: key id, fingerprint or part of a user id.
        homedir: directory where GnuPG keeps keys; None for its default.
    """

    def __init__(self, key_id: str, homedir: str | None = None) -> None:
        self.key_id = key_id
        self.homedir = homedir

    @property
    def metadata_key(self) -> str:
        """Under which key its signatures are kept."""
        return METADATA_KEY

    def find(self) -> str:
        """Return the fingerprint of the primary key.

        Raises:
            NotFoundError: there is no such secret key.
            ConflictError: several match.
        """
        if len(self.key_id) < MIN_ID_LENGTH:
            raise NotFoundError(f"Unable to lookup key ID {self.key_id}: GPGME: Invalid value")
        arguments = ["--with-colons", "--fixed-list-mode", "--list-secret-keys"]
        keys = parse_keys(run_user(self.homedir, [*arguments, "--", self.key_id]).lines())
        where = f"(homedir: {'<default>' if self.homedir is None else self.homedir})"
        if not keys:
            raise NotFoundError(f"No gpg key found with ID {self.key_id} {where}")
        if len(keys) > 1:
            raise ConflictError(
                f"gpg key id {self.key_id} ambiguous {where}. Try the fingerprint instead"
            )
        return keys[0].primary.fingerprint

    def sign(self, data: bytes) -> bytes:
        """Return a detached binary signature of `data`.

        Raises:
            OstreeError: GnuPG cannot sign; it has said why.
        """
        fingerprint = self.find()
        with private_directory(HOME_PREFIX) as scratch:
            scratch.create_file("data", data, mode=0o600)
            output = run_user(
                self.homedir,
                [
                    f"--local-user={fingerprint}",
                    "--no-armor",
                    f"--output={scratch.label}/signature",
                    "--detach-sign",
                    "--",
                    f"{scratch.label}/data",
                ],
            )
            if output.status != 0 or not scratch.is_file("signature", follow=False):
                reason = parse_failure(output.lines(), output.reason)
                raise OstreeError(f"Failure signing commit file: {reason}")
            return scratch.read_file("signature", max_bytes=_MAX_SIGNATURE_BYTES)
