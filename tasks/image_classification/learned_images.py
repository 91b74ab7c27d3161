"""LearnedImages: a task that remembers what its images were, so that others are read alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.image_spec import ImageSpec, image_spec
from lightning_tf.data.images.new_images import new_images
from lightning_tf.data.sources.given_data import given_data
from lightning_tf.data.sources.new_examples import NewExamples, prediction_data
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.constructed_data import ConstructedData
from lightning_tf.tasks.image_classification.images_like import images_like

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.objectives.objective import Objective

RANK = 4  # of images: (images, height, width, channels)


class LearnedImages(ConstructedData):
    """Base of a task that is built to the images of its data, and reads new ones as these.

    Checkpoints hold what the images were, so that a task from a checkpoint predicts without its
    data.

    Attributes:
        spec: What the network is built to; None before a run or a checkpoint tells.
        decoding: How files become images of the network's size.
        objective: What is learned of an image.
    """

    input_kind = "image"
    spec: ImageSpec | None = None
    decoding: ImageDecoding
    objective: Objective
    _image_options: dict[str, Any]
    _is_from_checkpoint = False

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return images to evaluate or predict: what `data` takes; for prediction images alone.

        Of arrays and datasets all images are taken, of other sources those of the stage. To
        predict, a folder, a file or a table means all images in it, with labels or without.
        """
        is_name = isinstance(data, str) and not os.path.exists(os.path.expanduser(data))
        if stage == "predict" and self.configured and not is_name:
            return prediction_data(self.new_examples(data), self._batch_size)
        if stage == "predict" and not isinstance(data, (str, os.PathLike)):
            return given_data({stage: data}, self._batch_size)
        if not self.configured:
            raise ConfigurationError(
                "there is no model yet that could tell the classes of other images: fit the task, "
                "or take it from a checkpoint."
            )
        return images_like(self, data, self._image_options)

    def new_examples(
        self,
        data: Any,
        *,
        value_range: tuple[float, float] | None = None,
        broken: str = "error",
        file_column: str | None = None,
        images_dir: str | os.PathLike[str] | None = None,
    ) -> NewExamples:
        """Return images to predict, brought to the size, channels and values of the task's own.

        Args:
            data: One image or several: an array (images, height, width, channels) or (height,
                width, channels), pillow's images, files, a folder, a table with a column of files;
                or batches of images, with or without labels.
            value_range: The values of black and white in arrays, such as (0, 255); None means those
                of the images that the task has learned from. Files know theirs.
            broken: ``error`` or ``skip``: what becomes of files that cannot be decoded.
            file_column: The column of the files of a table; None is that of the task's own.
            images_dir: The folder that a table's paths begin in; None is that of the table.

        Raises:
            DataError: There are none, one is broken, or an array has another shape or range.
        """
        if isinstance(data, tuple) and len(data) == 2 and np.ndim(data[0]) == RANK:
            data = data[0]  # with labels, which nobody needs
        column = file_column or self._image_options.get("file_column", "filename")
        images = new_images(
            data,
            self.image_spec(),
            self.decoding,
            value_range=value_range,
            broken=broken,
            file_column=column,
            images_dir=images_dir,
        )
        return super().new_examples(data) if images is None else images

    @property
    def images_data(self) -> DataModule | None:
        """The images, also where the Trainer is given something that is made of them."""
        return self.data

    def image_spec(self) -> ImageSpec:
        """Return what the network is built to: that of the data, else that of a checkpoint.

        Raises:
            ConfigurationError: There are neither data nor a spec from a checkpoint.
        """
        is_run = self._trainer is not None and self.images_data is not None
        if self.spec is None or (is_run and not self.configured):
            if self.images_data is None:
                raise ConfigurationError(
                    "data is None; give data to learn from, or take the task from a checkpoint."
                )
            self.spec, self._is_from_checkpoint = image_spec(self.images_data), False
            self.decoding = _decoding_of(self.images_data, self.spec)
        return self.spec

    def take_data(self) -> None:
        """Let data stand in the place of what a checkpoint told of those before, once.

        Raises:
            ConfigurationError: The weights were learned from images of another shape, or from
                another number of classes.
        """
        if not self._is_from_checkpoint or self.images_data is None or self.spec is None:
            return
        known, spec = self.spec, image_spec(self.images_data)
        if (spec.input_shape, spec.num_classes) != (known.input_shape, known.num_classes):
            raise ConfigurationError(
                f"the data have images of shape {spec.input_shape} and {spec.num_classes} classes, "
                f"and the checkpoint has learned {known.num_classes} from {known.input_shape}; "
                "give data like these, or make another task."
            )
        self.spec, self._is_from_checkpoint = spec, False
        self.class_names, self.value_range = spec.class_names, spec.value_range
        self.decoding = _decoding_of(self.images_data, spec)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str], **arguments: Any) -> Self:
        """Rebuild a task from a checkpoint; see `Task.from_checkpoint`.

        Without its data, or with ``data=None``, it predicts alone.
        """
        task = super().from_checkpoint(path, **arguments)
        if arguments.get("data") is not None:
            task.take_data()
        return task

    @classmethod
    def predicts_without_data(cls, run: Mapping[str, Any]) -> bool:
        """Return whether a checkpoint holds what the network was built to."""
        return "spec" in (run.get("task_state") or {})

    def state_dict(self) -> dict[str, Any]:
        """Return what the network was built to, and how files became its images."""
        if self.spec is None or not self.configured:
            return {}
        return {"spec": asdict(self.spec), "decoding": asdict(self.decoding)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what a checkpoint knows of the data; data that a run sets up replace it."""
        self.spec = ImageSpec(**_with_tuples(state["spec"], "input_shape", "value_range"))
        self.decoding = ImageDecoding(
            **_with_tuples(state["decoding"], "image_size", "background", "value_range")
        )
        self._is_from_checkpoint = True
        if self.data is None:
            self.take_objective(self.spec.objective)

    @property
    def _batch_size(self) -> int:
        return 32 if self.data is None else self.data.batch_size

    def take_objective(self, name: str) -> None:
        """Learn what a checkpoint has learned; a subclass overrides it."""


def _decoding_of(data: DataModule | None, spec: ImageSpec) -> ImageDecoding:
    """Return how files become images of a task: as its own did, else by the defaults."""
    height, width, channels = spec.input_shape
    own = getattr(data, "decoding", None)
    known = own if isinstance(own, ImageDecoding) else ImageDecoding()
    return replace(known, image_size=(height, width), channels=channels)


def _with_tuples(state: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a state with tuples where JSON had lists."""
    made = {name: tuple(state[name]) for name in names if state.get(name) is not None}
    return {**state, **made}
