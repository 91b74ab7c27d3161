"""A frozen value equals a later one exactly where nothing has changed in between."""

from array import array
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from lightning_tf.frozen_value import freeze, stands

BYTES, HELD = np.zeros(3), {"a": 0.0}


def assign(value, key, new):
    value[key] = new


# Of each value: itself, and what changes it in place.
CHANGES = {
    "list": ([1, [2.0]], lambda v: assign(v[1], 0, 3.0)),
    "array": (np.zeros(3), lambda v: assign(v, 1, 1.0)),
    "array.array": (array("d", [0.0]), lambda v: assign(v, 0, 1.0)),
    "bytearray": (bytearray(b"a"), lambda v: assign(v, 0, 0)),
    "memoryview": (memoryview(BYTES), lambda v: assign(BYTES, 0, 1.0)),
    "view of a dict": (MappingProxyType(HELD), lambda v: assign(HELD, "a", 1.0)),
    "series": (pd.Series([0.0, 1.0]), lambda v: assign(v, 0, 2.0)),
    "index": (pd.Series([0.0]), lambda v: setattr(v, "index", ["b"])),
    "frame": (pd.DataFrame({"x": [0.0], "t": ["a"]}), lambda v: assign(v, "t", ["b"])),
    "column": (pd.DataFrame({"x": [0.0]}), lambda v: assign(v, "y", [0.0])),
    "in a tuple": (([0.0],), lambda v: assign(v[0], 0, 1.0)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_in_place_is_seen(kind):
    value, change = CHANGES[kind]
    frozen = freeze(value)
    assert stands(lambda: value, value, frozen)
    change(value)
    assert not stands(lambda: value, value, frozen)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        (1, True, False),
        (1.0, 1, False),
        ((1, 2.0), (1, 2.0), True),
        (pd.Series([float("nan"), 1.0]), pd.Series([float("nan"), 1.0]), True),
    ],
)
def test_another_value_is_another_by_kind_sign_and_content(old, new, same):
    assert stands(lambda: new, old, freeze(old)) is same
