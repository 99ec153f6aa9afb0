"""The engines whose keys are plain bytes: ed25519, SubjectPublicKeyInfo, and one for tests."""
