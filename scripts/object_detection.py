"""Train a detector on photos with boxes, and mark what it finds in others.

    python scripts/object_detection.py digits
    python scripts/object_detection.py raccoon --weights path/to/mobilenet_v2_no_top.h5
    python scripts/object_detection.py bccd --image-size 256 320 --bad-boxes drop
    python scripts/object_detection.py photos --head ssd --epochs 10 --predict more_photos

The data are a folder (Pascal VOC, YOLO), a COCO file, a CSV file, or digits, scenes that train a
small network from nothing (pip install 'lightning-tf[datasets]'). Keras downloads ImageNet's
weights; --weights random trains everything from the start.
"""

from __future__ import annotations

import argparse

from lightning_tf import Trainer
from lightning_tf.data import UnannotatedImages
from lightning_tf.tasks import DetectionWriter, ObjectDetection

DIGIT_SCENES = 10000
DIGIT_ANCHORS = {"scales": (2.0, 2.5, 3.2), "ratios": (1.0, 1.6, 4.0)}  # a 1 is high and thin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--backbone", help="MobileNetV2; for digits small")
    parser.add_argument("--head", default="retinanet", help="retinanet or ssd")
    parser.add_argument("--weights", default="imagenet", help="imagenet, random, or a file")
    parser.add_argument(
        "--image-size", type=int, nargs="+", help="side, or height and width; 224, for digits 96"
    )
    parser.add_argument("--batch-size", type=int, help="4; for digits 8")
    parser.add_argument("--epochs", type=int, help="20; for digits 3")
    parser.add_argument("--bad-boxes", default="error", help="error, drop or clip")
    parser.add_argument("--val-fraction", type=float, help="0.1 where the data have no val split")
    parser.add_argument("--predict", help="a folder of photos to mark")
    parser.add_argument("--output", default=".", help="runs/ is made here")
    options = parser.parse_args()

    is_digits = options.data == "digits"
    from_scratch = options.weights == "random" or is_digits
    sides = options.image_size or [96 if is_digits else 224]
    data_options = {"bad_boxes": options.bad_boxes}
    if options.val_fraction is not None:
        data_options["val_fraction"] = options.val_fraction
    task = ObjectDetection(
        options.data,
        backbone=options.backbone or ("small" if is_digits else "MobileNetV2"),
        head=options.head,
        weights=None if from_scratch else options.weights,
        # Digits of 16 to 48 pixels need neither the strides of 32 and 64 nor, painted in any
        # number, another place and size; mirrored they are none.
        levels=(3, 4) if is_digits else None,
        anchors=DIGIT_ANCHORS if is_digits else "auto",
        image_size=sides[0] if len(sides) == 1 else tuple(sides),
        batch_size=options.batch_size or (8 if is_digits else 4),
        augmentation="color" if is_digits else ("flip", "scale", "shift", "color"),
        data_options={"train_scenes": DIGIT_SCENES} if is_digits else data_options,
        schedule="cosine",
    )
    trainer = Trainer(
        max_epochs=options.epochs or (3 if is_digits else 20),
        gradient_clip_val=10.0,
        default_root_dir=options.output,
        seed=0,
    )

    trainer.fit(task)
    metrics = trainer.callback_metrics
    if task.data is not None and task.data.test_dataset() is not None:
        metrics |= trainer.test(task)
    if trainer.is_global_zero:  # of several workers, the first one prints
        print(metrics)

    if options.predict:
        task.data = UnannotatedImages(options.predict, image_size=task.image_size)
        writer = DetectionWriter(format="coco", save_images=True)
        trainer.add_callback(writer)
        for _ in trainer.predict(task):
            pass
        print(*writer.files, sep="\n")


if __name__ == "__main__":
    main()
