"""Images of a run, embedded in the page by their bytes."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lightning_tf.run_report.inside_folder import inside_folder, leads_out, list_folder
from lightning_tf.run_report.run_record import RunRecord

FOLDERS = ("images", "figures")
STAMPED = re.compile(r"(?P<name>.+?)_(?P<step>\d{8,})(?:_\d+)?", re.DOTALL)  # of the loggers
NUMBER = re.compile(r"[0-9]{1,18}")
MOST_STEPS = 24  # of one name
MOST_BYTES = 24 * 2**20  # of a page: browsers open it at once, and mail takes it
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif")
TYPES = ((PNG, "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))

Logged = tuple[str, int | None, list[str]]  # name, step and captions


@dataclass
class ImageFile:
    """An image that was logged at an update.

    Attributes:
        step: Updates done; None of a file whose name does not tell.
        path: From the run's folder.
        captions: As they were logged.
        source: Its bytes as a ``data:`` address; empty until it is embedded.
        problem: Why it is not shown.
    """

    step: int | None
    path: str
    captions: list[str] = field(default_factory=list)
    source: str = ""
    problem: str = ""

    @property
    def when(self) -> str:
        """The update in words."""
        return self.path if self.step is None else f"update {self.step}"


@dataclass
class ImageSeries:
    """All images of one name in a run, the oldest first."""

    name: str
    kind: str
    images: list[ImageFile]
    left_out: int = 0

    @property
    def shown(self) -> list[ImageFile]:
        """Those with something to show or to say."""
        return [image for image in self.images if image.source or image.problem]


class Embedder:
    """Turns images into ``data:`` addresses, as many as a page can bear.

    Args:
        most_bytes: Of all images of the page.

    Example:
        >>> series = read_series(run)
        >>> Embedder().embed([(run, series)])
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.left = most_bytes

    def embed(self, of_runs: list[tuple[RunRecord, list[ImageSeries]]]) -> None:
        """Embed the last image of each series first, so that what does not fit is old."""
        everything = [(run, series) for run, all_series in of_runs for series in all_series]
        for run, series in everything:
            self._embed(run.folder, series.images[-1])
        for run, series in everything:
            chosen = _spread(series.images[:-1], MOST_STEPS - 1)
            for image in reversed(chosen):
                self._embed(run.folder, image)
            series.left_out = len(series.images) - len(series.shown)

    def _embed(self, folder: Path, image: ImageFile) -> None:
        path = inside_folder(folder, image.path)
        if leads_out(folder, image.path):
            image.problem = "leads out of the run's folder"
        elif path is None or not path.is_file():
            image.problem = "is missing"
        elif path.stat().st_size * 4 // 3 <= self.left:
            content = path.read_bytes()
            kind = next((kind for begin, kind in TYPES if content.startswith(begin)), "")
            if not kind:
                image.problem = "is no image"
            elif kind == "png" and not content.endswith(PNG_END):
                image.problem = "is not whole"
            else:
                image.source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
                self.left -= len(image.source)


def read_series(run: RunRecord) -> list[ImageSeries]:
    """Return the images that stand in a run's folder or that its lines name."""
    found: dict[tuple[str, str], dict[str, ImageFile]] = {}
    logged: dict[str, Logged] = dict(_logged(run))
    files = {
        f"{folder}/{path.name}": path.stem
        for folder in FOLDERS
        for path in list_folder(run.folder, folder)
        if not path.is_dir()
    }

    for path, stem in {**files, **{path: Path(path).stem for path in logged}}.items():
        match = STAMPED.fullmatch(stem)
        of_name: Logged = (match["name"], int(match["step"]), []) if match else (stem, None, [])
        name, step, captions = logged.get(path, of_name)
        series = found.setdefault((path.partition("/")[0], name), {})
        series[path] = ImageFile(step, path, captions)

    return [
        ImageSeries(name, kind, sorted(images.values(), key=_order))
        for (kind, name), images in found.items()
    ]


def _logged(run: RunRecord) -> Iterator[tuple[str, Logged]]:
    """Yield path, name, step and captions of the images that lines name, and of logged files."""
    for name, number, file in run.files:
        if file.endswith(SUFFIXES) and inside_folder(run.folder, file):
            yield file, (name, int(number) if NUMBER.fullmatch(number) else None, [])
    for line in run.lines:
        path, step, captions = line.get("path"), line.get("step"), line.get("captions")
        if line.get("kind") in ("images", "figure") and isinstance(path, str):
            texts = [str(each) for each in captions] if isinstance(captions, list) else []
            yield path, (str(line.get("name")), step if isinstance(step, int) else None, texts)


def _order(image: ImageFile) -> tuple[int, str]:
    return (-1 if image.step is None else image.step, image.path)


def _spread(images: list[ImageFile], most: int) -> list[ImageFile]:
    """Return so many of them, evenly, the first and the last among them."""
    if len(images) <= most:
        return images
    return [images[index * (len(images) - 1) // (most - 1)] for index in range(most)]
