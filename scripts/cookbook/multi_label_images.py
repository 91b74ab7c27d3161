"""Multi-label images: which of four shapes are drawn. A built-in task, beside "all of them"."""

import numpy as np

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification

SIZE, SHAPES = 24, ("circle", "square", "cross", "bar")


def drawn_shapes(count, seed):
    """Return images, and for each 0 or 1 for every shape."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    labels = rng.integers(0, 2, (count, len(SHAPES)))
    images = rng.normal(40, 15, (count, SIZE, SIZE))
    for image, drawn in zip(images, labels, strict=True):
        for shape in rng.permutation(np.flatnonzero(drawn)):
            y, x, radius = *rng.integers(5, SIZE - 5, 2), rng.integers(3, 6)
            dy, dx = abs(rows - y), abs(columns - x)
            inside = (
                dy**2 + dx**2 <= radius**2,
                np.maximum(dy, dx) < radius,
                (np.minimum(dy, dx) < 1) & (np.maximum(dy, dx) <= radius),
                (dy < 2) & (dx <= radius + 2),
            )[shape]
            image[inside] = rng.integers(120, 250)
    return images.clip(0, 255).astype("uint8")[..., None], labels


def main(epochs: int = 8, examples: int = 2000) -> dict[str, float]:
    held_out = drawn_shapes(400, seed=1)
    task = ImageClassification(
        (drawn_shapes(examples, seed=0), held_out),
        "vgg",
        objective="multi_label",
        data_options={"class_names": list(SHAPES)},
    )
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(task)
    share = held_out[1].mean(axis=0)
    return {
        "f1": trainer.callback_metrics["val_f1"],
        "of_all_labels": float((2 * share / (1 + share)).mean()),
    }


if __name__ == "__main__":
    print(main())
