"""GradientReduction: how gradients travel between replicas."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.checks import checked_choice
from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.exceptions import ConfigurationError

DTYPES = (None, "bfloat16", "float16")
BYTES_PER_PACK = 32 * 2**20  # the first of several is on its way while later gradients are computed


@dataclass(frozen=True)
class GradientReduction:
    """How gradients travel between replicas.

    Attributes:
        dtype: In which they are sent, ``bfloat16`` or ``float16``, half of float32's bytes; None as
            they are. A ring rounds at every step on its way; the devices of one CPU are summed in
            float32, of values that were rounded once.
        options: ``tf.distribute.experimental.CommunicationOptions`` of every sum of gradients; None
            sends packs of 32 MiB.

    Raises:
        ConfigurationError: One of them is something else.

    Example:
        >>> GradientReduction("bfloat16").dtype
        'bfloat16'
    """

    dtype: str | None = None
    options: Any = None

    def __post_init__(self) -> None:
        checked_choice("gradient_reduction_dtype", self.dtype, DTYPES)
        kind = tf.distribute.experimental.CommunicationOptions
        if self.options is not None and not isinstance(self.options, type(kind())):
            raise ConfigurationError(
                f"communication_options is {self.options!r}; give a "
                "tf.distribute.experimental.CommunicationOptions, such as "
                "CommunicationOptions(bytes_per_pack=50 * 2**20)."
            )

    def check_scale(self, scales_loss: bool) -> None:
        """Refuse float16 where no loss scale keeps gradients in its range."""
        if self.dtype == "float16" and not scales_loss:
            raise ConfigurationError(
                "gradient_reduction_dtype='float16' without a loss scale: small gradients would "
                "become 0 and large ones infinite; take 'bfloat16', or "
                "precision='mixed_float16'."
            )

    # ---- in the graph, on a replica

    def __call__(self, values: Any, gradients: Any, *, widens: bool) -> tuple[Any, Any]:
        """Sum values and gradients over all replicas.

        Args:
            values: A nest of tensors that keep their dtype.
            gradients: A nest of tensors, or None in it, in the order of their variables.
            widens: Whether the sum may be in the gradients' own dtype, because nothing is sent.
        """
        flat = tf.nest.flatten(gradients)
        sent = [self._narrow(gradient, widens) for gradient in flat]

        # The last layer's gradients come first: their pack need not wait for the others.
        options = self.options or tf.distribute.experimental.CommunicationOptions(
            bytes_per_pack=BYTES_PER_PACK
        )
        values, received = all_reduce((values, sent[::-1]), options)

        sums = [
            None if total is None else tf.cast(total, gradient.dtype)
            for total, gradient in zip(received[::-1], flat, strict=True)
        ]
        return values, tf.nest.pack_sequence_as(gradients, sums)

    def _narrow(self, gradient: Any, widens: bool) -> Any:
        """Return a gradient as it is sent; one that is as narrow already stays as it is."""
        if (
            self.dtype is None
            or gradient is None
            or gradient.dtype.size <= tf.as_dtype(self.dtype).size
        ):
            return gradient
        narrow = tf.cast(gradient, self.dtype)
        return tf.cast(narrow, gradient.dtype) if widens else narrow
