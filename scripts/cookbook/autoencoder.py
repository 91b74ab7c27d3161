"""Autoencoder: a digit in eight numbers, and a digit again. Beside PCA with eight components."""

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from lightning_tf import Task, Trainer

CODES = 8
images = load_digits().images.reshape(-1, 64).astype("float32") / 16
train, held_out = images[:1400], images[1400:]


class Autoencoder(Task):
    batch_size = 64

    def __init__(self, units: int = 256, codes: int = CODES, learning_rate: float = 2e-3):
        self.units, self.codes, self.learning_rate = units, codes, learning_rate

    def configure_model(self):
        def network(size, outputs, activation=None):
            return keras.Sequential(
                [
                    keras.Input((size,)),
                    keras.layers.Dense(self.units, "relu"),
                    keras.layers.Dense(outputs, activation),
                ]
            )

        self.encoder = network(64, self.codes)
        self.decoder = network(self.codes, 64, "sigmoid")

    def configure_optimizers(self):
        decay = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, self.trainer.estimated_stepping_batches
        )
        return keras.optimizers.Adam(decay)

    def training_step(self, batch):
        return tf.reduce_mean((self.decoder(self.encoder(batch)) - batch) ** 2)

    def validation_step(self, batch):
        return self.training_step(batch)

    def predict_step(self, batch):
        return self.encoder(batch)

    def on_validation_epoch_end(self):
        shown = tf.concat([held_out[:8], self.decoder(self.encoder(held_out[:8]))], axis=0)
        self.trainer.log_images("reconstructions", tf.reshape(shown, (-1, 8, 8, 1)).numpy())


def main(epochs: int = 60) -> dict[str, float]:
    trainer = Trainer(max_epochs=epochs, check_val_every_n_epoch=epochs, seed=0)
    trainer.fit(Autoencoder(), train, held_out)

    pca = PCA(CODES).fit(train)
    of_pca = ((pca.inverse_transform(pca.transform(held_out)) - held_out) ** 2).mean()
    return {"error": trainer.callback_metrics["val_loss"], "error_of_pca": float(of_pca)}


if __name__ == "__main__":
    print(main())
