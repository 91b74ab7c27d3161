"""Values of a parametrized test, most of which are left out by default."""

import pytest


def slow_but(values, *quick):
    """Return all values, for `parametrize`; those that are not among the quick are marked slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in values]
