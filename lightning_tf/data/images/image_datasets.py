"""ImageDatasets: tf.data.Datasets of labeled images."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from lightning_tf.data.images.checks import (
    check_like_training,
    checked_images,
    checked_range,
    warn_of_channels_first,
)
from lightning_tf.data.images.image_spec import image_spec, scan_batches
from lightning_tf.data.images.image_targets import (
    CLASSIFICATION,
    MULTI_LABEL,
    check_same_targets,
    checked_objective,
    checked_targets,
    refuse_classes,
)
from lightning_tf.data.label_values import are_places, tell_gaps, tell_names, tell_untrained
from lightning_tf.data.pipeline.batch_checks import (
    check_finite,
    check_labels,
    check_targets,
    require,
    whole_labels,
)
from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.exceptions import ConfigurationError, DataError

KEYS = {"image_key": "image", "label_key": "label"}


class ImageDatasets(DatasetPair):
    """Batched datasets of images, (batch, height, width, channels), and labels, (batch,).

    Of several labels these are 0 and 1 of shape (batch, labels), and numbers are of shape (batch,)
    or (batch, numbers).

    Elements are pairs, or dicts as `tfds.load` gives them. `setup` checks the first batches of all
    splits and fills in the attributes. Where neither `num_classes` nor names are given, or the
    images are no bright uint8, it reads the data once, up to a bound where they have no end.
    Labels, and whether pixels are finite, are checked in every batch, in the pipeline.

    Attributes:
        objective: ``classification``, ``multi_label`` or ``regression``.
        input_shape: Height, width and channels, after `setup`.
        num_classes: Labels are 0 to ``num_classes - 1``, after `setup`.
        class_names: A name for each label, after `setup`.
        value_range: Lowest and highest value of a pixel, after `setup`.

    Args:
        train: Batches to train on. Labels are integers, also as whole floats (batch, 1) or one-hot,
            as `keras.utils.image_dataset_from_directory` gives them; its ``class_names`` are taken.
        val: Batches to validate on, or None.
        test: Batches to test on, or None.
        num_classes: Number of classes, if known.
        class_names: Their names, if known.
        labels: Every value that a label can have, in the order of the classes.
        value_range: The values of pixels that mean black and white.
        image_key: Of dicts, the key of the images; None takes ``image``.
        label_key: Of dicts, the key of the labels; None takes ``label``.
        fewest_classes: How many classes there must be.
        objective: What is learned; None is ``classification``.

    Raises:
        ConfigurationError: An argument is no dataset, a key is unknown, or options contradict each
            other.
        DataError: A batch is not what it must be; raised by `setup`, or when it is read.

    Example:
        >>> images, labels = np.zeros((8, 32, 32, 3), np.uint8), np.arange(8) % 2
        >>> train = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
        >>> data = ImageDatasets(train, num_classes=2)
        >>> data.setup("fit")
        >>> data.input_shape, data.class_names
        ((32, 32, 3), ['0', '1'])
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: list[str]
    value_range: tuple[float, float]

    def __init__(
        self,
        train: tf.data.Dataset,
        val: tf.data.Dataset | None = None,
        test: tf.data.Dataset | None = None,
        *,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        labels: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
        image_key: str | None = None,
        label_key: str | None = None,
        fewest_classes: int = 2,
        objective: str | None = None,
    ) -> None:
        """Check and keep the datasets."""
        super().__init__(train, val, test)
        self.objective = checked_objective(objective)
        refuse_classes(self.objective, num_classes=num_classes, labels=labels)
        names = getattr(train, "class_names", None) if class_names is None else class_names
        self._names = None if names is None else [str(name) for name in names]
        self._num_classes, self._values, self._fewest = num_classes, labels, fewest_classes
        if value_range is not None:
            self.value_range = checked_range(value_range)
        self._keys = {"image_key": image_key, "label_key": label_key}
        # Of batches that Python makes a dataset is made for each epoch, and its pairs then.
        if isinstance(self._train, tf.data.Dataset):
            self._train = self._pairs(self._train)
        self._val, self._test = (
            None if dataset is None else self._pairs(dataset) for dataset in (self._val, self._test)
        )

    @property
    def column_names(self) -> dict[str, list[str]]:
        """Names of the columns of a batch's labels, for a `DataReport`."""
        return {} if self.objective == CLASSIFICATION else {"target": self.class_names}

    def setup(self, stage: str) -> None:
        """Look at the data and fill in the attributes, unless that is done."""
        if hasattr(self, "input_shape"):
            return

        is_known = self._values is not None or self._num_classes is not None
        if self.objective == CLASSIFICATION and self._names is None and not is_known:
            self._learn_classes()
        if self._values is not None and self._names is None:
            self._names = [str(value) for value in self._values]

        spec = image_spec(self, self._num_classes, self._names, self._fewest)
        self.num_classes, self.class_names = spec.num_classes, spec.class_names
        self.value_range, self.input_shape = spec.value_range, spec.input_shape
        warn_of_channels_first(self.input_shape)
        self._check_held_out()

    def _learn_classes(self) -> None:
        """Take the classes from the labels of all splits."""
        classes = {
            "train": scan_batches([self._training()]).labels,
            **{
                name: scan_batches([None, dataset]).labels
                for name, dataset in (("val", self._val), ("test", self._test))
                if dataset is not None
            },
        }
        labels = sorted(set().union(*classes.values()))
        if are_places(labels):
            tell_gaps(labels)
            self._num_classes = labels[-1] + 1 if labels else None
        else:
            tell_names(labels)
            self._values = labels
        tell_untrained(classes)

    def _training(self, epoch: int = 0, batch: int = 0) -> tf.data.Dataset:
        """Return training pairs that are not checked."""
        dataset = super()._training(epoch, batch)
        return dataset if isinstance(self._train, tf.data.Dataset) else self._pairs(dataset)

    def _pairs(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return pairs of known rank, with integer labels."""
        spec = dataset.element_spec
        if isinstance(spec, Mapping):
            image, label = (self._key(option, spec) for option in KEYS)
            dataset = dataset.map(lambda batch: (batch[image], batch[label]))
            spec = dataset.element_spec
        elif any(self._keys.values()):
            option = next(option for option, key in self._keys.items() if key)
            raise ConfigurationError(f"{option}= is for datasets of dicts; these give {spec}.")
        if not isinstance(spec, tuple) or len(spec) < 2:
            return dataset  # refused by name when its first batch is looked at

        shapes = [part.shape for part in spec[:2]]
        if any(shape.rank is None or None in shape[1:] for shape in shapes):
            dataset = self._with_shapes(dataset)
        if self.objective == CLASSIFICATION and not dataset.element_spec[1].dtype.is_integer:
            dataset = dataset.map(whole_labels)
        return dataset

    def _key(self, option: str, spec: Mapping[str, Any]) -> str:
        key = self._keys[option] or KEYS[option]
        if key not in spec:
            raise ConfigurationError(
                f"the batches have {', '.join(spec)} and no {key!r}; name one with {option}=."
            )
        return key

    @staticmethod
    def _with_shapes(dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return a dataset whose shapes are those of its first batch, as of a generator."""
        first = next(iter(dataset.take(1)), None)
        if first is None:
            return dataset  # empty: said where it is looked at
        shapes = [(None, *part.shape[1:]) for part in first[:2]]
        return dataset.map(
            lambda *batch: (
                *(tf.ensure_shape(x, shape) for x, shape in zip(batch, shapes, strict=False)),
                *batch[2:],
            )
        )

    def _checked(self, stage: str, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return batches that are checked when they are read, once the classes are known."""
        if not isinstance(dataset.element_spec, tuple):
            return dataset
        if self._values is not None:
            dataset = dataset.map(partial(_placed, stage, list(self._values)))
        if hasattr(self, "num_classes"):
            check = partial(check_labels, stage, self.num_classes)
            if self.objective != CLASSIFICATION:
                check = partial(check_targets, stage, self.objective == MULTI_LABEL)
            dataset = dataset.map(check)
            dataset = dataset.map(lambda images, *rest: (check_finite(stage, images), *rest))
        return dataset

    def _check_held_out(self) -> None:
        """Hold the first batch of the other splits against training."""
        dtype = self._training().element_spec[0].dtype.as_numpy_dtype
        for name, dataset in (("val", self._val), ("test", self._test)):
            batch = None if dataset is None else next(dataset.take(1).as_numpy_iterator(), None)
            if not isinstance(batch, tuple):
                continue
            images = checked_images(name, batch[0])
            if images.shape[1:] != self.input_shape:
                raise DataError(
                    f"The {name} images have shape {images.shape[1:]}, those to train on "
                    f"{self.input_shape}; make them equal."
                )
            check_like_training(name, images, dtype, self.value_range)
            if self.objective != CLASSIFICATION:
                targets = checked_targets(name, batch[1], self.objective)
                check_same_targets(name, targets, self.num_classes)


def _placed(stage: str, values: list[int], images: Any, labels: tf.Tensor, *rest: Any) -> Any:
    """Return a batch with labels as places in the values."""
    flat = tf.cast(tf.reshape(labels, [-1]), tf.int64)
    is_it = tf.equal(flat[:, tf.newaxis], tf.constant(values, tf.int64))  # (batch, classes)
    text = f"the {stage} labels must be one of {values}, but a batch has"
    with tf.control_dependencies([require(tf.reduce_any(is_it, axis=1), text, flat)]):
        return images, tf.argmax(is_it, axis=1, output_type=tf.int32), *rest
