"""Errors that the environment asks for, so that scripts can see how they are handled."""

from __future__ import annotations

import os
import re

_VARIABLE = "OSTREE_REPO_TEST_ERROR"


def is_forced(error: str) -> bool:
    """Tell whether ``OSTREE_REPO_TEST_ERROR`` names an error."""
    return error in re.split("[:;, \t]", os.environ.get(_VARIABLE, ""))
