"""`python -m ldctlib.cli` is `ldct`."""

import sys

from ldctlib.cli import main

sys.exit(main())
