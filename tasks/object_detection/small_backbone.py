"""small_backbone: a network with one feature map a level, to be trained from nothing."""

from collections.abc import Sequence
from typing import Any

import keras

STEM = 32
CHANNELS = {2: 48, 3: 96, 4: 128, 5: 160}
GROUPS = 8


def small_backbone(input_shape: Sequence[int], levels: Sequence[int]) -> keras.Model:
    """Build the network: a stem, then on each level a strided and a residual convolution.

    GroupNormalization (Wu and He, 2018, https://arxiv.org/abs/1803.08494) does without statistics
    of batches, which are small in detection; SiLU has no kink, at which a difference in the last
    bit, as between one device and several, becomes another gradient.

    Args:
        input_shape: Height, width and channels; the images are in [-1, 1].
        levels: Wanted, of 2 to 5, ascending.

    Example:
        >>> small_backbone((64, 64, 3), (3, 4)).output_shape
        [(None, 8, 8, 96), (None, 4, 4, 128)]
    """
    inputs = keras.Input(tuple(input_shape), name="images")
    maps = _unit(inputs, STEM, stride=2, name="stem")  # (batch, height / 2, width / 2, channels)

    outputs = []
    for level in range(2, levels[-1] + 1):
        maps = _unit(maps, CHANNELS[level], stride=2, name=f"level{level}_down")
        residual = _unit(maps, CHANNELS[level], stride=1, name=f"level{level}_same")
        maps = keras.layers.Add(name=f"level{level}")([maps, residual])
        if level in levels:
            outputs.append(maps)
    return keras.Model(inputs, outputs, name="small")


def _unit(maps: Any, channels: int, stride: int, name: str) -> Any:
    layers = keras.layers
    maps = layers.Conv2D(
        channels, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name
    )(maps)
    maps = layers.GroupNormalization(GROUPS, name=f"{name}_norm")(maps)
    return layers.Activation("silu", name=f"{name}_silu")(maps)
