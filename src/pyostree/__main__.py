"""``python -m pyostree``: the ``ostree`` command."""

import sys

from pyostree.cli.main import main

sys.exit(main())
