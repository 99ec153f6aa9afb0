"""Options of the commands that verify a static delta: whose signatures count."""

from __future__ import annotations

from pyostree.cli.options import filename, text

PUBLIC_KEY_OPTIONS = (
    text("sign-type", metavar="NAME", help="Kind of signature (default: ed25519)"),
    filename("keys-file", metavar="NAME", help="Read public keys from a file"),
    filename("keys-dir", metavar="NAME", help="Verify with the trusted and revoked keys below it"),
)
