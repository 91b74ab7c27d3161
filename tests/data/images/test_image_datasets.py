"""tf.data.Datasets of images as people have them: every batch is checked, and none is for ever."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet

from lightning_tf import DataModule, Trainer
from lightning_tf.data import ImageDatasets, image_data
from lightning_tf.data.pipeline.batch_checks import data_error
from lightning_tf.data.pipeline.bounded_batches import MOST_BATCHES, bounded_batches
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification

X = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1)).astype("uint8")
Y = np.arange(60) % 3


def pairs(x=X, y=Y, size=16):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


def ready(*datasets, **options):
    data = ImageDatasets(*datasets, **options)
    data.setup("fit")
    return data


def labels_of(dataset):
    return np.concatenate([labels for _, labels in dataset.as_numpy_iterator()])


def fit(data, **arguments):
    task = ImageClassification(data, "mlp")
    Trainer(**quiet(max_epochs=1, seed=0, **arguments)).fit(task)
    return task


def wrong_at_the_end(value):
    y = Y.copy()
    y[-1] = value
    return y


class Module(DataModule):
    """A user's own module."""

    def __init__(self, y, val=None):
        super().__init__()
        self.y, self.val = y, val

    num_classes = 3

    def train_dataset(self, epoch):
        return pairs(y=self.y)

    def val_dataset(self):
        return None if self.val is None else pairs(y=self.val)


@pytest.mark.parametrize(
    "value",
    [pytest.param(-1, marks=pytest.mark.slow), 3, pytest.param(1000, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("kind", [pytest.param("train", marks=pytest.mark.slow), "val"])
def test_a_label_beyond_the_classes_is_an_error_in_any_batch(kind, value):
    bad = wrong_at_the_end(value)
    message = rf"[Tt]he {kind} labels must be 0 to 2, but a batch has {value}\."
    sources = [
        (pairs(y=bad if kind == "train" else Y), pairs(y=bad if kind == "val" else Y)),
        Module(bad if kind == "train" else Y, bad if kind == "val" else Y),
    ]
    options = [{"data_options": {"num_classes": 3}}, {}]
    for source, option in zip(sources, options, strict=True):
        task = ImageClassification(source, "mlp", **option)
        with pytest.raises(DataError, match=message):
            Trainer(**quiet(max_epochs=1, seed=0)).fit(task)


def test_labels_with_gaps_become_names_and_zero_based_ones_stay(caplog):
    data = ready(pairs(y=Y * 10 + 10))
    assert data.class_names == ["10", "20", "30"]
    assert "taken for the names of 3 classes" in caplog.text
    np.testing.assert_array_equal(labels_of(data.train_dataset(0)), Y)
    assert ready(pairs(y=Y * 10 + 10), num_classes=31).num_classes == 31
    given = ready(pairs(y=Y * 10 + 10), labels=[30, 20, 10])
    np.testing.assert_array_equal(labels_of(given.train_dataset(0)), 2 - Y)


def test_a_class_that_validation_alone_has_counts():
    assert ready(pairs(y=Y % 2), pairs(y=Y)).num_classes == 3


def test_unknown_shapes_of_a_generator_are_those_of_its_first_batch():
    dataset = tf.data.Dataset.from_generator(
        lambda: zip(X, Y, strict=True), output_types=(tf.uint8, tf.int64)
    ).batch(16)
    data = ready(dataset)
    assert data.train_dataset(0).element_spec[0].shape.as_list() == [None, 8, 8, 1]
    assert data.num_classes == 3


@pytest.mark.parametrize(
    "y", [Y.astype("float32")[:, None], np.eye(3, dtype="float32")[Y], Y[:, None]]
)
def test_labels_as_keras_gives_them_become_integers(y):
    data = ready(pairs(y=y))
    np.testing.assert_array_equal(labels_of(data.train_dataset(0)).reshape(-1), Y)


def test_soft_labels_are_refused():
    soft = np.full((60, 3), 1 / 3, "float32")
    with pytest.raises((DataError, tf.errors.InvalidArgumentError), match="one-hot"):
        ready(pairs(y=soft))


def test_class_names_of_keras_are_taken():
    dataset = pairs()
    dataset.class_names = ["a", "b", "c"]
    assert ready(dataset).class_names == ["a", "b", "c"]


def test_dicts_are_read_by_their_keys():
    dicts = pairs().map(lambda x, y: {"image": x, "label": y, "id": y})
    assert image_data(dicts).train_dataset(0).element_spec[0].shape[1:] == (8, 8, 1)
    assert ready(dicts, label_key="id").num_classes == 3
    with pytest.raises(ConfigurationError, match="no 'pixels'; name one with image_key="):
        ImageDatasets(dicts, image_key="pixels")
    with pytest.raises(ConfigurationError, match="label_key= is for datasets of dicts"):
        ImageDatasets(pairs(), label_key="id")


@pytest.mark.parametrize(
    "endless",
    [
        pairs().repeat(),
        pairs().repeat().filter(lambda x, y: True),
        tf.data.Dataset.from_generator(
            lambda: iter(lambda: (X[:16], Y[:16]), None),
            output_signature=(
                tf.TensorSpec([None, 8, 8, 1], tf.uint8),
                tf.TensorSpec([None], tf.int64),
            ),
        ),
    ],
    ids=["repeat", "filter", "generator"],
)
def test_data_without_an_end_are_looked_at_up_to_a_bound(endless, caplog):
    assert ready(endless).num_classes == 3
    assert f"of its first {MOST_BATCHES} batches" in caplog.text


def test_data_of_unknown_length_within_the_bound_are_read_without_a_word(caplog):
    whole = pairs().filter(lambda x, y: True)
    assert len(list(bounded_batches(whole, "nothing"))) == 4
    assert not caplog.records


def test_training_on_endless_data_begins():
    task = ImageClassification(pairs().repeat(), "mlp")
    Trainer(**quiet(max_steps=3, seed=0)).fit(task)
    assert task.num_classes == 3


@pytest.mark.parametrize("place", [pytest.param(0, marks=pytest.mark.slow), 59])
def test_nan_is_an_error_in_any_batch(place):
    x = X / 255.0
    x[place, 2, 2] = np.nan
    with pytest.raises(DataError, match="NaN or infinity"):
        fit(pairs(x.astype("float32")))


def test_held_out_images_are_held_against_training():
    unit = (X / 255.0).astype("float32")
    with pytest.raises(DataError, match=r"val images are uint8 from .* to train on float32"):
        ready(pairs(unit), pairs())
    with pytest.raises(DataError, match=r"test images are float32 from .* to train on uint8"):
        ready(pairs(), None, pairs(unit))
    with pytest.raises(DataError, match=r"val images have shape \(4, 8, 1\)"):
        ready(pairs(), pairs(X[:, :4]))
    assert ready(pairs(), pairs(X.astype("float32"))).num_classes == 3


def test_other_errors_of_a_pipeline_are_left_alone():
    assert data_error(tf.errors.InvalidArgumentError(None, None, "something else")) is None


def test_a_class_that_training_lacks_is_told(caplog):
    data = ready(pairs(y=np.arange(60) % 2), pairs())
    assert data.num_classes == 3
    assert "The val split has classes without a training example: 2." in caplog.text
