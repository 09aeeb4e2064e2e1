"""`python -m wintun_sim` is the command `wintun-sim`."""

import sys

from wintun_sim.cli import main

sys.exit(main())
