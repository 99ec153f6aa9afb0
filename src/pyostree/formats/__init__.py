"""Pure codecs of the OSTree formats: bytes and text in, frozen records out, no I/O."""
