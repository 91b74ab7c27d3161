"""SampleGrid: images of the same random numbers as training goes on."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_tf.callback import Callback
from lightning_tf.trainer import Trainer

MOST_FRAMES = 60  # of the animation; 64 images of 28 x 28 take about 25 kB a frame
FRAME_MILLISECONDS = 250
LAST_FRAME_MILLISECONDS = 2000
LEAST_SIDE = 32  # smaller images are enlarged
GAP, GRAY = 2, 96  # pixels between images, and their value
INTERPOLATIONS = 8
NO_FRAMES: dict[str, Any] = {"frames": [], "stride": 1, "taken": 0, "last_step": -1}


class SampleGrid(Callback):
    """Logs images of fixed noise every few epochs, and all of them as an animation at the end.

    Loggers get the images ``samples``; at the end ``interpolation``, rows of images between two
    points each, and, where a logger has a folder, the file ``samples.gif`` in it. The frames stand
    in checkpoints, so that a resumed run's animation is whole. At 60 frames every other one is
    dropped and from then on half as many are taken; the last one is always there.

    Works with every task that has `sample` and `interpolate`; see `GAN`.

    Args:
        count: Images of a grid.
        every_n_epochs: How often; the last epoch always.
    """

    logs_metrics = False

    def __init__(self, count: int, every_n_epochs: int = 1) -> None:
        self.count, self.every_n_epochs = count, every_n_epochs
        self.load_state_dict(NO_FRAMES)

    def state_dict(self) -> dict[str, Any]:
        """Return the frames as PNG files in base 64."""
        return {
            "frames": self.frames,
            "stride": self.stride,
            "taken": self._grids,
            "last_step": self._last_step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the frames back."""
        self.frames: list[str] = list(state["frames"])
        self.stride: int = state["stride"]
        self._grids, self._last_step = state["taken"], state["last_step"]

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Begin another animation where training begins."""
        if trainer.global_step == 0:
            self.load_state_dict(NO_FRAMES)

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Take a grid."""
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._take(trainer, task)

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Log the last grid, the interpolations and the animation."""
        if not trainer.loggers:
            return
        if self._last_step != trainer.global_step:
            self._take(trainer, task)

        last = _encode_png(image_grid(task.to_display_range(task.sample(self.count))))
        between = task.interpolate(INTERPOLATIONS, INTERPOLATIONS)
        trainer.log_images(
            "interpolation", task.to_display_range(between.reshape(-1, *between.shape[2:]))
        )

        if trainer.log_dir is None or not self.frames or not trainer.is_global_zero:
            return
        path = Path(trainer.log_dir) / "samples.gif"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Where every other frame was dropped, the last grid may be missing.
        frames = [*self.frames, *([] if last == self.frames[-1] else [last])]
        images = [_decode_png(frame) for frame in frames]
        durations = [FRAME_MILLISECONDS] * (len(images) - 1) + [LAST_FRAME_MILLISECONDS]
        images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)
        trainer.log_file("samples", str(path))

    def _take(self, trainer: Trainer, task: Any) -> None:
        if not trainer.loggers:
            return
        images = task.to_display_range(task.sample(self.count))
        trainer.log_images("samples", images, captions=task.sample_captions(self.count))
        self._last_step = trainer.global_step

        if self._grids % self.stride == 0:
            self.frames.append(_encode_png(image_grid(images)))
        self._grids += 1
        if len(self.frames) >= MOST_FRAMES:  # checkpoints and the file stay of bounded size
            self.frames, self.stride = self.frames[::2], 2 * self.stride


def image_grid(images: NDArray[np.floating], columns: int | None = None) -> Image.Image:
    """Put images side by side, about square, with thin grey lines between them.

    Args:
        images: Float in [0, 1], shape (n, height, width, 1 or 3).
        columns: How many side by side; None is the root of n.

    Returns:
        A PIL image, grey or in colour; small images are enlarged by whole numbers.

    Example:
        >>> image_grid(np.zeros((4, 8, 8, 1))).size
        (68, 68)
    """
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    rows = math.ceil(count / columns)

    scale = math.ceil(LEAST_SIDE / max(height, width))
    large = images.repeat(scale, axis=1).repeat(scale, axis=2)
    high, wide = height * scale + GAP, width * scale + GAP

    # Every cell is an image with a grey line below and to the right of it.
    cells = np.full((rows * columns, high, wide, channels), GRAY, np.uint8)
    cells[:count, :-GAP, :-GAP] = np.round(np.clip(large, 0.0, 1.0) * 255.0)
    cells = cells.reshape(rows, columns, high, wide, channels)
    grid = cells.transpose(0, 2, 1, 3, 4).reshape(rows * high, columns * wide, channels)
    return Image.fromarray(grid[..., 0] if channels == 1 else grid)


def _encode_png(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")


def _decode_png(frame: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(frame)))
    image.load()
    return image
