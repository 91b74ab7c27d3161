"""StyleProgress: images of a style transfer while it trains."""

from typing import Any

from lightning_tf.callback import Callback
from lightning_tf.trainer import Trainer


class StyleProgress(Callback):
    """Logs what `task.preview()` gives as ``train/stylized``, every n updates and at the end.

    Works with every task whose `preview` gives images in [0, 1], shape (n, height, width, 3), or
    None where there is nothing to show.

    Args:
        every_n_steps: Updates between two images.
    """

    logs_metrics = False

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = every_n_steps

    def on_train_window_end(self, trainer: Trainer, task: Any) -> None:
        """Log the image every `every_n_steps` updates."""
        if self.is_due(trainer):
            self._log(trainer, task)

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Log the final image, unless the last update was logged."""
        if trainer.global_step % (self.every_n_steps or 1):
            self._log(trainer, task)

    def _log(self, trainer: Trainer, task: Any) -> None:
        images = task.preview() if trainer.loggers else None
        if images is not None:
            captions = [f"update {trainer.global_step}"] * len(images)
            trainer.log_images("train/stylized", images, captions)
