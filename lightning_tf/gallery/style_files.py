"""StyleFiles: the painting, photos and networks of a style transfer, in a folder of the user's."""

from pathlib import Path
from typing import Any

from lightning_tf.exceptions import ConfigurationError

PAINTING, PHOTOS = "pictures/starry_night.jpg", "flowers/train"
WEIGHTS, HUB = "vgg16_notop.weights.h5", "arbitrary_style_small"


class StyleFiles:
    """What `StyleTransfer` needs for its three methods.

    Args:
        data_dir: Holds `PAINTING` and `PHOTOS`; networks that are not there are downloaded.

    Attributes:
        painting: The style.
        photos: A folder to learn from, for ``fast``.
        weights: Of VGG16, a file or ``imagenet``.
        hub: The argument ``hub`` where there is a folder, else nothing.

    Raises:
        ConfigurationError: The painting or the photos are not there.

    Example:
        >>> files = StyleFiles("data")
        >>> StyleTransfer("china.jpg", files.painting, "hub", **files.hub)
    """

    def __init__(self, data_dir: str | None) -> None:
        root = Path(data_dir or ".").expanduser()
        self.painting, self.photos = root / PAINTING, root / PHOTOS
        missing = [name for name in (PAINTING, PHOTOS) if not (root / name).exists()]
        if missing:
            raise ConfigurationError(
                f"data_dir={data_dir!r} has no {' and no '.join(missing)}. Put a painting under "
                f"the name {PAINTING}, such as Van Gogh's Starry Night, and some hundred photos "
                f"into {PHOTOS}, and name the folder of both: --data_dir FOLDER."
            )

        weights, hub = root / WEIGHTS, root / HUB
        self.weights: Path | str = weights if weights.is_file() else "imagenet"
        self.hub: dict[str, Any] = {"hub": hub} if hub.is_dir() else {}
