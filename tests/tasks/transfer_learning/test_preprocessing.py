"""What prepares images for a backbone, as layers of Keras alone."""

import keras
import numpy as np
import pytest
from helpers.boring import fitted

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import TransferLearning
from lightning_tf.tasks.transfer_learning.preprocessing import ImagePreprocessing, to_unit

APPLICATIONS = keras.applications
IMAGES = np.random.default_rng(1).uniform(0, 255, (2, 5, 6, 3)).astype("float32")


@pytest.mark.parametrize(
    "function",
    [
        to_unit,
        lambda images: images,
        APPLICATIONS.mobilenet_v2.preprocess_input,  # [-1, 1]
        APPLICATIONS.resnet.preprocess_input,  # blue first, means off
        APPLICATIONS.densenet.preprocess_input,  # each channel's own deviation
    ],
    ids=["unit", "nothing", "tf", "caffe", "torch"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_is_computed_by_layers_of_keras(function, channels):
    layer = ImagePreprocessing(function)
    images = IMAGES[..., :channels]
    expected = np.asarray(layer(images))

    equal = layer.keras_equivalent()
    assert type(equal).__module__.startswith("keras.")
    np.testing.assert_allclose(equal(images), expected, rtol=1e-4, atol=1e-3)


def test_what_is_no_scale_and_offset_is_refused():
    layer = ImagePreprocessing(keras.ops.sqrt)
    layer(IMAGES)
    with pytest.raises(ConfigurationError, match="no scale and offset of channels"):
        layer.keras_equivalent()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.slow
def test_a_keras_file_of_a_transferred_model_has_layers_of_keras_alone(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 1)).astype("uint8")
    backbone = APPLICATIONS.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.35
    )
    task = TransferLearning((images, np.arange(8) % 2), backbone, batch_size=8)
    fitted(task, max_steps=1, limit_val_batches=0)
    model = keras.saving.load_model(task.export(tmp_path / "model", format="keras"))

    kinds = {type(layer).__module__.split(".")[0] for layer in model.layers}
    assert kinds == {"keras"}
    x = images.astype("float32")
    expected = task.model(x, training=False)
    np.testing.assert_allclose(model(x, training=False), expected, rtol=1e-4, atol=1e-5)
