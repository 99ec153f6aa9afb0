"""OpenPGP through GnuPG itself, so that keys, expiry and revocation behave as its users know."""
