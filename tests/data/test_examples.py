"""The examples in the docstrings run and give what they show."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import tensorflow as tf
from helpers.variants import slow_but

import lightning_tf.data
from lightning_tf.data import image_data

ROOMS = [
    room.name
    for room in pkgutil.walk_packages(lightning_tf.data.__path__, "lightning_tf.data.")
    if not room.ispkg
]
SLOW = {"lightning_tf.data.boxes.detection_data", "lightning_tf.data.boxes.formats.digit_scenes"}


@pytest.mark.parametrize("room", slow_but(ROOMS, *(set(ROOMS) - SLOW)))
def test_examples_run(room):
    module = importlib.import_module(room)
    results = doctest.testmod(module, extraglobs={"np": np, "tf": tf, "image_data": image_data})
    assert results.failed == 0
