"""What holds for every test: hypothesis judges no test by its speed, and in CI prints what reproduces a failure."""

import os

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
