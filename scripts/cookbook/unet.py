"""U-Net: which pixels are circle, which square, which neither. Beside "all is background"."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

SIZE, NAMES = 32, {0: "background", 1: "circle", 2: "square"}
layers = keras.layers


def drawn_shapes(count, seed):
    """Return noisy images with a circle and a square each, and the class of every pixel."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    masks = np.zeros((count, SIZE, SIZE), "int32")
    for mask in masks:
        for kind in rng.permutation([1, 2]):
            y, x, radius = *rng.integers(6, SIZE - 6, 2), rng.integers(4, 8)
            dy, dx = abs(rows - y), abs(columns - x)
            inside = dy**2 + dx**2 <= radius**2 if kind == 1 else np.maximum(dy, dx) < radius
            mask[inside] = kind
    images = 0.5 * (masks > 0) + rng.normal(0.25, 0.1, masks.shape)
    return images[..., None].clip(0, 1).astype("float32"), masks


class UNet(Task):
    batch_size = 16

    def __init__(self, widths: tuple[int, ...] = (12, 24, 48), learning_rate: float = 3e-3):
        self.widths, self.learning_rate = widths, learning_rate

    def configure_model(self):
        def block(x, width):
            for _ in range(2):
                x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
            return x

        x = inputs = keras.Input((SIZE, SIZE, 1))
        skips = []
        for width in self.widths[:-1]:
            skips.append(block(x, width))
            x = layers.MaxPooling2D()(skips[-1])
        x = block(x, self.widths[-1])
        for width, skip in zip(self.widths[-2::-1], reversed(skips), strict=True):
            x = layers.Conv2DTranspose(width, 2, strides=2)(x)
            x = block(layers.Concatenate()([x, skip]), width)
        self.model = keras.Model(inputs, layers.Conv2D(len(NAMES), 1)(x))

    def configure_optimizers(self):
        return keras.optimizers.Adam(self.learning_rate)

    def configure_metrics(self):
        return {"mean_iou": keras.metrics.MeanIoU(len(NAMES), sparse_y_pred=False)}

    def training_step(self, batch):
        images, masks = batch
        logits = self.model(images)
        self.update_metrics(masks, logits)
        losses = keras.losses.sparse_categorical_crossentropy(masks, logits, from_logits=True)
        return tf.reduce_mean(losses)

    def validation_step(self, batch):
        return self.training_step(batch)

    def predict_step(self, batch):
        return tf.argmax(self.model(batch), axis=-1)

    def on_validation_epoch_end(self):
        images, truth = drawn_shapes(4, seed=2)
        masks = [
            {
                "truth": {"mask_data": true, "class_labels": NAMES},
                "prediction": {"mask_data": predicted, "class_labels": NAMES},
            }
            for true, predicted in zip(truth, self.predict_step(images).numpy(), strict=True)
        ]
        self.trainer.log_images("shapes", images, masks=masks)


def main(epochs: int = 12, examples: int = 800) -> dict[str, float]:
    images, masks = drawn_shapes(200, seed=1)
    trainer = Trainer(max_epochs=epochs, seed=0)
    trainer.fit(UNet(), drawn_shapes(examples, seed=0), (images, masks))
    background = float((masks == 0).mean()) / len(NAMES)
    return {"mean_iou": trainer.callback_metrics["val_mean_iou"], "of_background": background}


if __name__ == "__main__":
    print(main())
