"""Paint an image in the style of another one.

    python scripts/style_transfer.py china.jpg mona_lisa.jpg --out painted.png
    python scripts/style_transfer.py china.jpg starry_night.jpg --method fast --photos flowers/train
    python scripts/style_transfer.py china.jpg mona_lisa.jpg --method hub --hub arbitrary_style

The first moves the pixels of one image, the second trains a network on photos, the third runs a
SavedModel. Without --weights and --hub, VGG16's weights and TensorFlow Hub's model are downloaded.
"""

from __future__ import annotations

import argparse

from lightning_tf import Trainer
from lightning_tf.tasks import StyleTransfer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("content")
    parser.add_argument("style", nargs="+", help="one image, or several to be mixed")
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
    options = vars(parser.parse_args())

    method, out = options["method"], options["out"]
    own = {"fast": ["filters"], "hub": ["hub"]}.get(method, [])
    names = ["colors", "image_size", "style_size", *own]
    if method != "hub":
        names += ["weights", "style_weight", "learning_rate"]
    given = {name: options[name] for name in names if options[name] is not None}
    given |= {} if method == "hub" else {"schedule": "cosine"}
    given |= {"weights": None} if given.get("weights") == "random" else {}
    content = options["photos"] if method == "fast" else options["content"]
    task = StyleTransfer(content, options["style"], method, **given)
    if method != "hub":
        run = {"max_steps": options["steps"], "default_root_dir": options["output"]}
        trainer = Trainer(**run, log_every_n_steps=10, seed=0)
        trainer.fit(task)
        if not trainer.is_global_zero:  # another of several workers
            return
        for name in ("content_loss", "style_loss"):
            print(name, f"{trainer.callback_metrics[name]:.4f}")
    task.stylize(options["content"] if method == "fast" else None, out=out)
    print(f"written: {out}")


if __name__ == "__main__":
    main()
