"""StyleFiles: the painting, photos and networks of a style transfer, in a folder of the user's."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError

PAINTING, PHOTOS = "pictures/starry_night.jpg", "flowers/train"
WEIGHTS, HUB = "vgg16_notop.weights.h5", "arbitrary_style_small"
SIDE, PANES, LEAD = 256, 90, 2.5  # pixels, panes of glass, width of what holds them
GLASS = ((25, 45, 110), (60, 110, 180), (230, 190, 60), (180, 60, 40), (40, 110, 80))


class StyleFiles:
    """What `StyleTransfer` needs for its three methods.

    Args:
        data_dir: Holds `PHOTOS` and, where there is one, `PAINTING`, for which a stained glass
            window is drawn otherwise, as a line says; networks that are not there are downloaded.

    Attributes:
        painting: The style: a file, or the pixels of the window.
        photos: A folder to learn from, for ``fast``.
        weights: Of VGG16, a file or ``imagenet``.
        hub: The argument ``hub`` where there is a folder, else nothing.

    Raises:
        ConfigurationError: The photos are not there.

    Example:
        >>> files = StyleFiles("data")
        >>> StyleTransfer("china.jpg", files.painting, "hub", **files.hub)
    """

    def __init__(self, data_dir: str | None) -> None:
        root = Path(data_dir or ".").expanduser()
        self.photos = root / PHOTOS
        if not self.photos.exists():
            raise ConfigurationError(
                f"data_dir={data_dir!r} has no {PHOTOS}. Put some hundred photos there, and name "
                "the folder: --data_dir FOLDER."
            )

        file = root / PAINTING
        self.painting: Path | NDArray[np.uint8] = file if file.exists() else stained_glass()
        if not file.exists():
            print(f"style: a stained glass window; put a painting at {file} to have that instead")

        weights, hub = root / WEIGHTS, root / HUB
        self.weights: Path | str = weights if weights.is_file() else "imagenet"
        self.hub: dict[str, Any] = {"hub": hub} if hub.is_dir() else {}


def stained_glass() -> NDArray[np.uint8]:
    """Draw a window of colored panes in lead, shape (SIDE, SIDE, 3)."""
    random = np.random.RandomState(0)
    centers = random.uniform(0, SIDE, (PANES, 2))
    places = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1)[:, :, None]  # (SIDE, SIDE, 1, 2)
    distances = np.linalg.norm(places - centers, axis=-1)

    nearest, second = np.partition(distances, 1, axis=-1)[..., :2].transpose(2, 0, 1)
    colors = np.array(GLASS)[random.randint(len(GLASS), size=PANES)]
    shades = colors * random.uniform(0.8, 1.2, (PANES, 1))
    panes = shades[distances.argmin(axis=-1)]
    return np.where((second - nearest < LEAD)[..., None], 15, panes).clip(0, 255).astype(np.uint8)
