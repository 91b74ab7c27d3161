"""docs/gallery.md, from the table of experiments, and its images, from a run of them.

    python tests/helpers/gallery_page.py                   # after a change of EXPERIMENTS
    python tests/helpers/gallery_page.py runs/gallery      # the images of what ran there as well

An image is docs/gallery/<name>.png, of runs/gallery/<name>/<name>.png; photos are .jpg, films .gif.
"""

import shutil
import sys
from pathlib import Path

from PIL import Image

from lightning_tf.gallery.experiments import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "gallery"
THUMBNAILS = IMAGES / "thumbnails"
WIDTH, THUMBNAIL_WIDTH = 800, 240  # pixels
MOST_BYTES = 60_000
COLUMNS = "| | experiment | reached | seconds |\n|---|---|---|---|\n"
HEAD = """# Gallery

The experiments of the courses: a command and an image each, in at most 3 minutes on 2 cores.
The pages say what is different from doing it by hand.

```
lightning-tf gallery              # what there is
lightning-tf gallery perceptron   # runs one: its images, a table
lightning-tf gallery all          # all of them
lightning-tf gallery all --full   # longer, for the best figures
```

Images go to `runs/gallery/<name>/` (`--output`), the table and a page of all that ran to
`runs/gallery/index.html`.

Real data are looked for in the folder that `--data_dir` or the environment variable
`LIGHTNING_TF_DATA` names. What cannot be had says what is missing, and the others run: the digits
of MNIST need the extra `datasets`. Seconds are of 2 cores without a GPU.
[CIFAR-100](gallery/cifar100.md) has its commands and no figure.
"""


def gallery_page():
    """Return the text of docs/gallery.md."""
    lines, chapter = [HEAD], ""
    for experiment in EXPERIMENTS.values():
        if experiment.chapter != chapter:
            chapter = experiment.chapter
            lines.append(f"\n## {chapter}\n\n{COLUMNS}")
        lines.append(row(experiment))
    return "".join(lines)


def row(experiment):
    """Return an experiment's row: thumbnail, page, command, figure, seconds."""
    name, page = experiment.name, experiment.page
    thumbnail = f"[![{name}](gallery/thumbnails/{name}.png)]({page})"
    reached = f"{experiment.figure} {experiment.reached:.4g}"
    if experiment.reached_in_full is not None:
        reached += f" (`--full`: {experiment.reached_in_full:.4g})"
    text = f"[{experiment.what}]({page})<br>`lightning-tf gallery {name}`"
    return f"| {thumbnail} | {text} | {reached} | {experiment.seconds} |\n"


def reduced(source, width):
    """Return an image that is at most so wide."""
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    return image


def shrink(source, target, width):
    """Write an image as a PNG of few colors that is at most so wide."""
    image = reduced(source, width)
    colors = 128
    while True:
        few = image.quantize(colors, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
        if target.stat().st_size <= MOST_BYTES or colors == 8:
            return
        colors //= 2


def main(run):
    """Write the page; with a run's folder also the images of what ran there."""
    THUMBNAILS.mkdir(parents=True, exist_ok=True)
    for name in EXPERIMENTS:
        drawing, photos, film = (IMAGES / f"{name}{suffix}" for suffix in (".png", ".jpg", ".gif"))
        made = None if run is None else run / name / drawing.name
        if made is not None and made.exists():
            if photos.exists():  # by hand at first: an image of photos
                reduced(made, WIDTH).save(photos, quality=80)
            else:
                shrink(made, drawing, WIDTH)
        if run is not None and (run / name / film.name).exists():
            shutil.copy(run / name / film.name, film)
        image = photos if photos.exists() else drawing
        if image.exists():
            shrink(image, THUMBNAILS / drawing.name, THUMBNAIL_WIDTH)
    PAGE.write_text(gallery_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
