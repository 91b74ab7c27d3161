"""Paint a picture in the style of another one.

    python scripts/style_transfer.py china.jpg mona_lisa.jpg --out painted.png
    python scripts/style_transfer.py china.jpg starry_night.jpg --method fast --photos flowers/train
    python scripts/style_transfer.py china.jpg mona_lisa.jpg --method hub --hub arbitrary_style

The first moves the pixels of one picture, the second trains a network on a folder of photos and
then runs it once, the third runs a SavedModel that knows any style. Without --weights, Keras
downloads those of VGG16 on ImageNet; without --hub, TensorFlow Hub is asked.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lightning_tf import Trainer
from lightning_tf.tasks import StyleTransfer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("content")
    parser.add_argument("style", nargs="+", help="one picture, or several to be mixed")
    parser.add_argument("--method", default="optimize", help="optimize, fast or hub")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random, or a file")
    parser.add_argument("--photos", help="folder to learn from, for --method fast")
    parser.add_argument("--hub", help="a SavedModel's folder, for --method hub")
    parser.add_argument("--image-size", type=int, help="longer side in pixels")
    parser.add_argument("--style-size", type=int, help="the same of the style: larger strokes")
    parser.add_argument("--style-weight", type=float)
    parser.add_argument("--colors", default="style", help="style, histogram or luminance")
    parser.add_argument("--filters", type=int, default=32, help="of the network of --method fast")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", default="painted.png")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    given = {"colors": options.colors, "image_size": options.image_size}
    given["style_size"] = options.style_size
    if options.method == "hub":
        given |= {"hub": options.hub} if options.hub else {}
        StyleTransfer(options.content, options.style, "hub", **given).stylize(out=options.out)
    else:
        trained(options, given)
    print(f"written: {options.out}")


def trained(options: argparse.Namespace, given: dict[str, Any]) -> None:
    is_fast = options.method == "fast"
    task = StyleTransfer(
        options.photos if is_fast else options.content,
        options.style,
        options.method,
        weights=None if options.weights == "random" else options.weights,
        style_weight=options.style_weight,
        learning_rate=options.learning_rate,
        schedule="cosine",
        **{**given, **({"filters": options.filters} if is_fast else {})},
    )
    trainer = Trainer(
        max_steps=options.steps, log_every_n_steps=10, default_root_dir=options.output, seed=0
    )
    trainer.fit(task)
    for name in ("content_loss", "style_loss"):
        print(name, f"{trainer.callback_metrics[name]:.4f}")
    task.stylize(options.content if is_fast else None, out=options.out)
    if is_fast:
        task.export(Path(trainer.log_dir or options.output) / "exported")


if __name__ == "__main__":
    main()
