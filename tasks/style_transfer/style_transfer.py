"""StyleTransfer: an image painted in the style of another one."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_integer
from lightning_tf.data.images.image import Image, checked_png
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.constructed_data import ConstructedData
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.style_transfer.fast_style import FastStyle
from lightning_tf.tasks.style_transfer.hub_style import MAGENTA, HubStyle
from lightning_tf.tasks.style_transfer.methods import METHODS, check_method
from lightning_tf.tasks.style_transfer.optimized_style import OptimizedStyle
from lightning_tf.tasks.style_transfer.style_method import StyleMethod
from lightning_tf.tasks.style_transfer.style_progress import StyleProgress
from lightning_tf.tasks.style_transfer.style_settings import StyleSettings


class StyleTransfer(ConstructedData):
    """Paints an image in the style of another one, by one of three methods.

    ``optimize`` (Gatys et al., 2016): the Trainer moves the pixels of one image until a VGG
    network sees the content of one and the style of the other; some hundred updates for each
    image. ``fast`` (Johnson et al., 2016): the Trainer trains a network for one style on a folder
    of photos; then an image takes one pass. ``hub`` (Ghiasi et al., 2017): a network of TensorFlow
    Hub that takes any content and any style; it only predicts.

    Rows have ``loss``, its parts ``content_loss``, ``style_loss`` and ``tv_loss`` before they are
    weighted (see `StyleLosses`), and loggers get images of the progress, ``train/stylized``.

    Args:
        content: The image to be stylized, a path or an array (see `Image.read`); for ``fast`` a
            folder of photos, an array of them or a DataModule; for ``hub`` it may be left out.
        style: An image, or a list of several to be mixed.
        method: ``optimize``, ``fast`` or ``hub``.
        network: The loss network, ``VGG16`` or ``VGG19``.
        weights: Of the loss network: ``imagenet``, a local file without the top, or None.
        pooling: ``average`` or ``max`` in the loss network.
        content_layers: Layers whose maps are compared; None is the method's paper's.
        style_layers: Layers whose Gram matrices are compared, or their weights by name; None is the
            method's paper's.
        content_weight: Of the content loss.
        style_weight: Of the style loss; None is the method's own.
        tv_weight: Of the total variation, which smooths.
        style_weights: A weight for each style image; equal where None.
        colors: ``style`` takes the style's colors; ``histogram`` first gives the style image the
            mean and covariance of the content's; ``luminance`` changes light alone and keeps the
            content's hues (Gatys et al., 2016, https://arxiv.org/abs/1606.05897).
        start: For ``optimize``: from the ``content`` or from ``noise``.
        image_size: Longer side in pixels that content is resized to, for ``fast`` both sides of the
            training photos; None is 512, 256 for ``fast``, and the image's own for ``hub``.
        style_size: Longer side of the style images, which decides how large its strokes are; None
            is `image_size`, and 256 for ``hub``.
        batch_size: For ``fast``.
        val_fraction: For ``fast``: share of the photos to hold out; None is 0.1.
        filters: For ``fast``: of the network's first layer.
        residual_blocks: For ``fast``.
        hub: For ``hub``: a URL of TensorFlow Hub or a SavedModel's folder.
        optimizer: A name, see `build_optimizer`, or a Keras optimizer.
        learning_rate: None is 0.02 for ``optimize`` (pixels are in [0, 1]) and 0.001 for ``fast``.
        schedule: See `build_schedule`.
        steps_per_epoch: For ``optimize``: updates that count as an epoch.
        progress_every: Updates between two images for the loggers; 0 for none.

    Raises:
        ConfigurationError: A name is unknown, an option belongs to another method, or a file of
            weights is missing.
        DataError: An image is missing or broken.

    Attributes:
        method: The `StyleMethod`, which computes all that differs between the three.

    Example:
        >>> from lightning_tf import Trainer
        >>> task = StyleTransfer("china.jpg", "mona_lisa.jpg", image_size=384)
        >>> Trainer(max_steps=300).fit(task)
        >>> pixels = task.stylize(out="painted.png")
    """

    input_kind = None

    def __init__(
        self,
        content: Any = None,
        style: Any = None,
        method: Literal["optimize", "fast", "hub"] = "optimize",
        *,
        network: str = "VGG16",
        weights: str | os.PathLike[str] | None = "imagenet",
        pooling: Literal["average", "max"] = "average",
        content_layers: Sequence[str] | None = None,
        style_layers: Sequence[str] | Mapping[str, float] | None = None,
        content_weight: float = 1.0,
        style_weight: float | None = None,
        tv_weight: float = 1.0,
        style_weights: Sequence[float] | None = None,
        colors: Literal["style", "histogram", "luminance"] = "style",
        start: Literal["content", "noise"] = "content",
        image_size: int | None = None,
        style_size: int | None = None,
        batch_size: int = 4,
        val_fraction: float | None = None,
        filters: int = 32,
        residual_blocks: int = 5,
        hub: str | os.PathLike[str] = MAGENTA,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = None,
        steps_per_epoch: int = 100,
        progress_every: int = 50,
    ) -> None:
        # First of all, so that an argument of another method is named before a file is missed.
        check_method(method, colors, self.hparams, StyleTransfer.__init__)
        self._progress_every = checked_integer("progress_every", progress_every, 0)
        defaults = METHODS[method]
        size = defaults.image_size if image_size is None else image_size
        default_style_size = defaults.style_size or size
        styles = _read_styles(style, default_style_size if style_size is None else style_size)
        self._optimizer = OptimizerSettings(
            optimizer, learning_rate, schedule, default_rate=defaults.learning_rate
        )

        # From here on `self.method` knows what differs.
        self.method: StyleMethod
        if method == "hub":
            image = None if content is None else Image.read(content, size, "content")
            self.method = HubStyle(image, styles, colors, hub)
            self.data = self.method.data
            return

        settings = StyleSettings(
            network,
            weights,
            pooling,
            defaults.content_layers if content_layers is None else content_layers,
            defaults.style_layers if style_layers is None else style_layers,
            _weights_of(styles, style_weights),
            content_weight,
            defaults.style_weight if style_weight is None else style_weight,
            tv_weight,
        )
        if method == "optimize":
            self.method = OptimizedStyle(
                Image.read(content, size, "content"),
                styles,
                settings,
                colors,
                start=start,
                steps_per_epoch=steps_per_epoch,
            )
        else:
            self.method = FastStyle(
                content,
                styles,
                settings,
                colors,
                image_size=size or 0,
                batch_size=batch_size,
                val_fraction=val_fraction,
                filters=filters,
                residual_blocks=residual_blocks,
            )
        self.data = self.method.data

    # ---- what the Trainer calls

    def setup(self, stage: str) -> None:
        """Refuse to train what only predicts.

        Raises:
            ConfigurationError: The method is ``hub``.
        """
        if not self.method.trains and stage != "predict":
            raise ConfigurationError(
                f"{stage}: method={self.method.name!r} only predicts, its network comes trained; "
                "call stylize or Trainer.predict, or use method='optimize' or 'fast'."
            )

    def configure_model(self) -> None:
        """Build what trains or predicts as `model`, and the losses."""
        self.model = self.method.build()

    def constant_variables(self) -> list[Any]:
        """Return the loss network, of a method that trains and is built."""
        losses = getattr(self.method, "losses", None)
        return [] if losses is None else losses.layers

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return the optimizer of the image, or of the network."""
        return self._optimizer.build(self.trainer.estimated_stepping_batches, self.model)

    def training_step(self, batch: Any) -> Any:
        """Return the weighted loss; its parts are logged."""
        return self._step(batch, training=True)

    def validation_step(self, batch: Any) -> Any:
        """Return the weighted loss of held-out photos; its parts are logged."""
        return self._step(batch, training=False)

    def predict_step(self, batch: Any) -> Any:
        """Return stylized images, float32 in [0, 1].

        Args:
            batch: Images of shape (batch, height, width, 3), uint8 or float in [0, 1].
        """
        return self.method.predict(batch)

    def new_examples(self, data: Any) -> NewExamples:
        """Refuse a table of images.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            "StyleTransfer.predict: images have no label to be put into a table; call "
            "stylize(image, out='painted.png') for one, or Trainer.predict for batches."
        )

    def callbacks(self) -> list[Callback]:
        """Bring images of the progress, for a method that trains."""
        is_shown = self.method.trains and self._progress_every
        return [StyleProgress(self._progress_every)] if is_shown else []

    # ---- what a user calls

    def preview(self) -> NDArray[np.float32] | None:
        """Return the image as it is now, or held-out photos; float in [0, 1], or None."""
        return self.method.preview()

    def stylize(
        self,
        image: Any = None,
        out: str | os.PathLike[str] | None = None,
        *,
        image_size: int | None = None,
    ) -> NDArray[np.uint8]:
        """Return an image in the style.

        Args:
            image: A path or an array, see `Image.read`; None for the task's own content, which
                is the only one that ``optimize`` makes.
            out: A PNG file to be written, or None.
            image_size: Longer side that the image is resized to; None keeps its size.

        Returns:
            uint8 of shape (height, width, 3), or 4 where the image has transparent parts.

        Raises:
            ConfigurationError: Nothing was trained yet, or the method needs or refuses an image.
            DataError: The image is missing or broken.

        Example:
            >>> task = StyleTransfer(style="mona_lisa.jpg", method="hub", hub="arbitrary_style")
            >>> task.stylize("china.jpg", out="painted.png").shape
            (427, 640, 3)
        """
        # A name that cannot be written is refused before the work, not after it.
        if out is not None:
            checked_png(out)
        content = None if image is None else Image.read(image, image_size)

        # What only predicts has its weights: it needs no Trainer.
        if self.method.trains and not self.configured:
            raise ConfigurationError(
                "stylize before training: call Trainer.fit or from_checkpoint first."
            )
        self.make_models()

        stylized = self.method.stylize(content)
        if out is not None:
            stylized.save(out)
        return stylized.with_alpha()

    def exported_model(self) -> keras.Model:
        """Return the network from images in [0, 1] to images in [0, 1], for ``fast``.

        Raises:
            ConfigurationError: Another method has nothing to be exported.
        """
        return self.method.exported_model()

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel that takes images or files; see `export_style`."""
        self.method.export(path)

    def _step(self, batch: Any, training: bool) -> Any:
        images, targets = self.method.attempt(batch, training)
        losses = self.method.losses(images, targets)
        for name, value in losses.items():
            self.log(name, value)
        return self.method.settings.total(losses)


def _read_styles(style: Any, size: int | None) -> list[Image]:
    if style is None or (isinstance(style, (list, tuple)) and not style):
        raise ConfigurationError("style: give an image, or a list of images.")
    several = style if isinstance(style, (list, tuple)) else [style]
    return [Image.read(one, size, "style") for one in several]


def _weights_of(styles: Sequence[Image], weights: Sequence[float] | None) -> Sequence[float]:
    if weights is None:
        return [1.0] * len(styles)
    if len(weights) != len(styles):
        raise ConfigurationError(
            f"style_weights has {len(weights)} numbers for {len(styles)} style images; give one "
            "for each."
        )
    return weights
