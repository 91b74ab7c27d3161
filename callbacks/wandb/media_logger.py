"""WandbMediaLogger: makes W&B's objects of images, tables, figures, texts and predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lightning_tf.callbacks.wandb import media, recordings
from lightning_tf.callbacks.wandb.recordings import Recording
from lightning_tf.logger import Logger


class WandbMediaLogger(Logger):
    """Makes W&B's objects of images, tables, figures, texts and predictions.

    A subclass sends them in `show`.

    Example:
        >>> logger.log_images("val/streets", images, trainer.global_step, masks=masks)
        >>> logger.log_roc("val/roc", labels, scores, trainer.global_step, ["cat", "dog"])
    """

    def show(self, name: str, maker: media.Maker, step: int) -> None:
        """Send the object that a maker makes, in its own row."""

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Send images, whose masks and boxes W&B shows and hides."""
        self.show(name, media.images(images, captions, masks, boxes), step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Send a table; a cell that is an array (height, width, 1 or 3) is shown as an image."""
        self.show(name, media.table(name, columns, rows), step)

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Send a matplotlib figure as an image."""
        self.show(name, media.figure(figure), step)

    def log_text(self, name: str, text: str, step: int) -> None:
        """Send plain text."""
        self.show(name, media.text(text), step)

    def log_audio(
        self,
        name: str,
        audios: Sequence[Recording],
        step: int,
        sample_rate: int | None = None,
        captions: Sequence[str] | None = None,
    ) -> None:
        """Send sounds: files, or arrays of float in [-1, 1] with their rate in hertz.

        W&B asks the package soundfile for their length.
        """
        self.show(name, recordings.audios(audios, sample_rate, captions), step)

    def log_video(
        self,
        name: str,
        videos: Sequence[Recording],
        step: int,
        fps: int = 4,
        captions: Sequence[str] | None = None,
        file_format: str = "gif",
    ) -> None:
        """Send videos: files, or uint8 (frames, channels, height, width), which need moviepy."""
        self.show(name, recordings.videos(videos, fps, captions, file_format), step)

    def log_histogram(self, name: str, values: Any, step: int) -> None:
        """Send a histogram of numbers of any shape."""
        self.show(name, media.histogram(values), step)

    def log_confusion_matrix(
        self,
        name: str,
        y_true: Any,
        predictions: Any,
        step: int,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Send W&B's chart: labels (n,), and classes (n,) or scores (n, classes)."""
        maker = media.confusion_matrix(y_true, predictions, class_names)
        self.show(name, maker, step)

    def log_roc(
        self,
        name: str,
        y_true: Any,
        scores: Any,
        step: int,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Send W&B's chart of a ROC: labels (n,), and scores (n, classes) or (n,)."""
        self.show(name, media.roc_curves(y_true, scores, class_names), step)
