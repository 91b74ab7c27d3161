"""film: figures as an animated GIF."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

LAST = 8  # times as long as the others the last frame stays


def write_film(path: Path, figures: Iterable[Any], seconds: float = 0.25, dpi: int = 80) -> None:
    """Write figures of one size as an animated GIF that begins again and again.

    Args:
        path: The file.
        figures: Of matplotlib, in order; each is drawn and forgotten.
        seconds: That a frame is shown.
        dpi: Pixels of an inch.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    frames = []
    for figure in figures:
        figure.set_dpi(dpi)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))

    # One palette of all frames: a palette for each would let colors flicker.
    palette = frames[-1].quantize(64)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * LAST * seconds)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
