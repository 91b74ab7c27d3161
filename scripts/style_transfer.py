"""Paint an image in the style of another one.

    python scripts/style_transfer.py china.jpg mona_lisa.jpg --out painted.png
    python scripts/style_transfer.py china.jpg starry_night.jpg --method fast --photos flowers/train
    python scripts/style_transfer.py china.jpg mona_lisa.jpg --method hub --hub arbitrary_style

The first line optimizes the pixels of one image, the second trains a network on photos, the third
runs a SavedModel. Without --weights, VGG16's weights are downloaded; without --hub, the model of
TensorFlow Hub.
"""

from __future__ import annotations

import argparse

from lightning_tf import Trainer
from lightning_tf.tasks import StyleTransfer

HUB_MODEL = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("content")
    parser.add_argument("style", nargs="+", help="one image, or several to be mixed")
    parser.add_argument("--method", default="optimize", choices=("optimize", "fast", "hub"))
    parser.add_argument("--weights", default="imagenet", help="imagenet, random, or a file")
    parser.add_argument("--photos", help="folder to learn from, for --method fast")
    parser.add_argument("--hub", default=HUB_MODEL, help="a SavedModel's folder, for --method hub")
    parser.add_argument("--image-size", type=int, help="longer side in pixels")
    parser.add_argument("--style-size", type=int, help="of the style; larger makes larger strokes")
    parser.add_argument("--style-weight", type=float)
    parser.add_argument("--colors", default="style", help="style, histogram or luminance")
    parser.add_argument("--filters", type=int, default=32, help="of the network of --method fast")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", default="painted.png")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    task = make_task(options)
    if options.method != "hub":  # its network comes trained
        trainer = Trainer(
            max_steps=options.steps,
            log_every_n_steps=10,
            default_root_dir=options.output,
            seed=0,
        )

        trainer.fit(task)

        if not trainer.is_global_zero:  # of several workers, the first one prints and writes
            return
        for name in ("content_loss", "style_loss"):
            print(name, f"{trainer.callback_metrics[name]:.4f}")

    task.stylize(options.content if options.method == "fast" else None, out=options.out)
    print(f"written: {options.out}")


def make_task(options: argparse.Namespace) -> StyleTransfer:
    """Return the task of one method, with the options that this method takes."""
    weights = None if options.weights == "random" else options.weights
    if options.method == "hub":
        return StyleTransfer(
            options.content,
            options.style,
            method="hub",
            hub=options.hub,
            colors=options.colors,
            image_size=options.image_size,
            style_size=options.style_size,
        )
    if options.method == "fast":
        return StyleTransfer(
            options.photos,
            options.style,
            method="fast",
            weights=weights,
            style_weight=options.style_weight,
            colors=options.colors,
            image_size=options.image_size,
            style_size=options.style_size,
            filters=options.filters,
            learning_rate=options.learning_rate,
            schedule="cosine",
        )
    return StyleTransfer(
        options.content,
        options.style,
        method="optimize",
        weights=weights,
        style_weight=options.style_weight,
        colors=options.colors,
        image_size=options.image_size,
        style_size=options.style_size,
        learning_rate=options.learning_rate,
        schedule="cosine",
    )


if __name__ == "__main__":
    main()
