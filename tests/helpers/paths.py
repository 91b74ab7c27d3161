"""Where the checkout and its tests are, for tests that start processes."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
SEARCHED = os.pathsep.join([str(TESTS), str(ROOT)])  # a PYTHONPATH with both
