"""ReflectionPadding: images continued beyond their edges by their mirror image."""

from __future__ import annotations

from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError


@keras.saving.register_keras_serializable("lightning_tf", name="ReflectionPadding")
class ReflectionPadding(keras.layers.Layer):  # type: ignore[misc]
    """Adds rows and columns around (batch, height, width, channels), mirrored at the edge.

    Zeros there would show as a frame in generated images. Height and width must be larger than
    `padding`.

    Args:
        padding: Rows on top and below, columns left and right.
        **kwargs: As of `keras.layers.Layer`.

    Raises:
        ConfigurationError: `padding` is negative or no integer.

    Example:
        >>> ReflectionPadding(1)(keras.ops.ones((1, 4, 5, 3))).shape
        TensorShape([1, 6, 7, 3])
    """

    def __init__(self, padding: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(padding, int) or isinstance(padding, bool) or padding < 0:
            raise ConfigurationError(f"padding={padding!r} must be an integer of at least 0.")
        self.padding = padding

    def call(self, images: Any) -> Any:
        """Pad."""
        sides = (self.padding, self.padding)
        return keras.ops.pad(images, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Height and width grow by twice the padding."""
        batch, height, width, channels = input_shape
        more = 2 * self.padding
        return (
            batch,
            None if height is None else height + more,
            None if width is None else width + more,
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "padding": self.padding}
