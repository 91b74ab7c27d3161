"""Networks that the tasks build, one family a file, and `build` to get one by its name."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras

from lightning_tf.checks import check_known, is_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.networks.images.convnet import convnet
from lightning_tf.tasks.networks.images.inception import inception
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory
from lightning_tf.tasks.networks.images.lenet5 import lenet5
from lightning_tf.tasks.networks.images.linear import linear, logistic
from lightning_tf.tasks.networks.images.mlp import mlp
from lightning_tf.tasks.networks.images.mobilenet import mobilenet
from lightning_tf.tasks.networks.images.resnet import resnet
from lightning_tf.tasks.networks.images.vgg import vgg

SMALLEST_IMAGE = 4


class Network(NamedTuple):
    """One family: how it is built, and its defaults.

    Attributes:
        outputs: Makes logits from (inputs, num_classes, layers).
        hidden: Whether there are hidden layers, which can be normalized and dropped.
        images: Whether the input must be (height, width, channels).
        batch_norm: The family's default.
    """

    outputs: Callable[[Any, int, LayerFactory], Any]
    hidden: bool = True
    images: bool = True
    batch_norm: bool = True


NETWORKS: dict[str, Network] = {
    "logistic": Network(logistic, hidden=False, images=False, batch_norm=False),
    "linear": Network(linear, hidden=False, images=False, batch_norm=False),
    "mlp": Network(mlp, images=False, batch_norm=False),
    "convnet": Network(convnet),
    "lenet5": Network(lenet5, batch_norm=False),
    "vgg": Network(vgg),
    "resnet": Network(resnet),
    "inception": Network(inception),
    "mobilenet": Network(mobilenet),
}


def build(
    name: str,
    input_shape: Sequence[int],
    num_classes: int,
    *,
    activation: str | Callable[[Any], Any] = "relu",
    initializer: str | keras.Initializer = "he_normal",
    batch_norm: bool | None = None,
    dropout: float | None = None,
) -> keras.Model:
    """Build a classifier to the shape of its input.

    Small images get fewer poolings; images of 64 and more come down to 32..63 in the first
    layer. The input is float32 in [-1, 1], the output float32 logits, whatever the precision.

    Args:
        name: A key of `NETWORKS`: logistic, linear, mlp, convnet, lenet5, vgg, resnet, inception or
            mobilenet.
        input_shape: One example's shape; (height, width, channels), each side at least 4, for all
            but logistic, linear and mlp, which take any.
        num_classes: How many classes; exactly 2 for logistic.
        activation: The hidden layers' activation, a name of `keras.activations` or a callable.
        initializer: The kernels' initializer: he, xavier, normal, truncated_normal, any name of
            `keras.initializers`, or an object.
        batch_norm: Whether to normalize hidden layers; None is the network's default: yes for the
            convolutional networks except lenet5, else no.
        dropout: The rate before or between dense layers; None is 0.

    Returns:
        A Functional model: inputs (batch, *input_shape), outputs
        (batch, num_classes).

    Raises:
        ConfigurationError: If a name is unknown, or the shape, the classes or an option do not suit
            the network.

    Example:
        >>> build("resnet", (32, 32, 3), 10).output_shape
        (None, 10)
    """
    check_known(f"network {name!r} is unknown", name, NETWORKS)
    network = NETWORKS[name]

    shape = tuple(input_shape)
    if not shape or not all(is_integer(size, least=1) for size in shape):
        raise ConfigurationError(
            f"network {name!r} is built to its input's shape, got {shape}. "
            "Give the positive sizes of one example, without the batch."
        )
    if network.images and (len(shape) != 3 or min(shape[:2]) < SMALLEST_IMAGE):
        raise ConfigurationError(
            f"network {name!r} needs images (height, width, channels) of at least "
            f"{SMALLEST_IMAGE}x{SMALLEST_IMAGE}, got {shape}. "
            "Use 'mlp' or 'linear' for other inputs, or resize the images."
        )

    if num_classes < 1:  # one is a number, or a label that an image has or has not
        raise ConfigurationError(f"num_classes={num_classes}: a network needs an output.")
    if not network.hidden and (batch_norm or dropout):
        raise ConfigurationError(
            f"network {name!r} has no hidden layer for batch_norm={batch_norm}, dropout={dropout}. "
            "Leave both out, or use 'mlp'."
        )

    layers = LayerFactory(
        activation,
        initializer,
        batch_norm=network.batch_norm if batch_norm is None else batch_norm,
        dropout=0.0 if dropout is None else dropout,
    )
    inputs = keras.Input(shape, dtype="float32")
    return keras.Model(inputs, network.outputs(inputs, num_classes, layers), name=name)
