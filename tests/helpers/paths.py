"""The folders of the checkout and of its tests."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
SEARCHED = os.pathsep.join([str(TESTS), str(ROOT)])  # PYTHONPATH of processes that tests start
