"""The examples in the docstrings run and give what they show."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import tensorflow as tf

import lightning_tf.data
from lightning_tf.data import image_data

ROOMS = [room.name for room in pkgutil.iter_modules(lightning_tf.data.__path__)]


@pytest.mark.parametrize("room", ROOMS)
def test_examples_run(room):
    module = importlib.import_module(f"lightning_tf.data.{room}")
    found = doctest.testmod(module, extraglobs={"np": np, "tf": tf, "image_data": image_data})
    assert found.failed == 0
