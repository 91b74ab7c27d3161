"""Histograms of activations by layer tell what is wrong with a layer."""

import numpy as np

from lightning_tf.gallery.common.activation_panels import draw_activations, share_between


def histogram(values, low, high):
    return np.histogram(values, np.linspace(low, high, 65))


def titles(rows):
    return [axes.get_title() for axes in draw_activations(rows).axes]


def test_a_share_is_that_of_the_bins_between_the_bounds():
    counts, edges = histogram([-0.99, 0.0, 0.001, 0.5], -1, 1)
    assert share_between(counts, edges, -0.95, 0.95) == 0.75


def test_each_layer_is_judged_by_what_is_wrong_with_it():
    saturated = {"activations/a": histogram([-1.0, 1.0, 1.0, 0.0], -1, 1)}
    vanished = {"activations/a": histogram([0.0] * 4, -1e-4, 1e-4)}
    relus = {"activations/a": histogram([0.0, 0.0, 0.0, 2.0], 0, 2)}
    rows = {
        "tanh, large": (saturated, {}),
        "tanh, small": (vanished, {}),
        "relu": (relus, {"dead_units/a": 0.25}),
    }
    assert titles(rows) == ["saturated 75%", "near 0 100%", "dead 25%"]
