"""`python -I -m core.cli`: the same as `onggi`."""

import sys

from core.cli.main import main

sys.exit(main())
