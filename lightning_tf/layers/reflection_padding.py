"""ReflectionPadding: images continued beyond their edges by their reflection."""

from typing import Any

import keras

from lightning_tf.checks import checked_integer


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
        self.padding = checked_integer("padding", padding, 0)

    def call(self, images: Any) -> Any:
        """Pad (batch, height, width, channels)."""
        sides = (self.padding, self.padding)
        return keras.ops.pad(images, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape with height and width grown by twice the padding."""
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
