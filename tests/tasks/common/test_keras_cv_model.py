"""KerasCV's networks and augmentation in the tasks; random weights, small images."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted
from helpers.extras import needs
from helpers.resumable import assert_resume_is_exact

from lightning_tf.tasks import ImageClassification, TransferLearning
from lightning_tf.tasks.transfer_learning.backbone import Backbone

pytestmark = [
    pytest.mark.slow,
    needs("keras_cv", "keras-cv"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of old parts that it imports
]


def backbone(include_rescaling=False):
    from keras_cv.models import CSPDarkNetBackbone

    return CSPDarkNetBackbone(
        stackwise_channels=[8, 16],
        stackwise_depth=[1, 1],
        include_rescaling=include_rescaling,
        input_shape=(32, 32, 3),
    )


def shades():
    """Dark, middling and bright images."""
    labels = np.arange(96) % 3
    noise = np.random.default_rng(0).integers(0, 60, (96, 32, 32, 3))
    return (noise + 80 * labels[:, None, None, None]).astype("uint8"), labels


def task_of(network, **options):
    return ImageClassification(shades(), network, batch_size=16, learning_rate=1e-2, **options)


def losses_of(task, **options):
    trainer = fitted(task, max_epochs=1, seed=0, **options)
    first = trainer.callback_metrics["loss"]
    return first, fitted(task, max_epochs=4, seed=0, **options).callback_metrics["loss"]


def test_a_classifier_is_trained():
    from keras_cv.models import ImageClassifier

    first, last = losses_of(task_of(ImageClassifier(backbone=backbone(), num_classes=3)))
    assert last < 0.8 * first


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_backbone_gets_a_head_with_float32_logits(precision):
    task = task_of(backbone())
    first, last = losses_of(task, precision=precision)
    assert last < 0.8 * first
    assert task.predict_step(tf.constant(shades()[0][:2])).dtype == tf.float32


@pytest.mark.parametrize("rescales", [False, True])
def test_a_backbone_gets_the_images_that_it_expects(rescales):
    task = task_of(backbone(rescales))
    fitted(task, max_epochs=1)
    white = task.built.inputs(tf.fill([1, 32, 32, 3], 255.0))
    assert float(tf.reduce_max(white)) == (255.0 if rescales else 1.0)
    built = Backbone(backbone(rescales)).build(None)
    assert float(tf.reduce_max(built.preprocess(tf.fill([1, 32, 32, 3], 255.0)))) == float(
        tf.reduce_max(white)
    )


def test_a_head_is_trained_on_a_backbone():
    task = TransferLearning(shades(), backbone(), batch_size=16, learning_rate=1e-2)
    first, last = losses_of(task)
    assert last < first


@pytest.mark.parametrize("name", ["GridMask", "Equalization", "JitteredResize"])
@pytest.mark.filterwarnings("ignore:.*position no checkpoint can hold")
def test_augmentation_changes_images_and_trains(name):
    import keras_cv

    options = {
        "GridMask": {"seed": 1},
        "Equalization": {"value_range": (0, 255)},
        "JitteredResize": {"target_size": (32, 32), "scale_factor": (0.8, 1.25), "seed": 1},
    }[name]
    layer = getattr(keras_cv.layers, name)(**options, dtype="float32")
    task = task_of("linear", augmentation=[layer, "flip"])
    trainer = fitted(task, max_epochs=1, seed=0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    images = tf.cast(shades()[0][:6], tf.float32)
    labels = tf.one_hot([0, 1, 2] * 2, 3)
    changed, kept = task.augmentation(images, labels, training=True)
    assert changed.shape == images.shape
    assert not np.array_equal(changed, images)
    assert np.array_equal(kept, labels)


def test_a_grid_mask_that_draws_from_its_generator_alone_resumes_exactly(tmp_path):
    import keras_cv

    def make_task():
        ratio = keras_cv.core.ConstantFactorSampler(0.4)
        layer = keras_cv.layers.GridMask(ratio, rotation_factor=0.0, seed=1, dtype="float32")
        return task_of("linear", augmentation=layer, schedule="constant")

    assert_resume_is_exact(tmp_path, make_task, list, stop=3, end=8)
