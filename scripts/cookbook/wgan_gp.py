"""WGAN-GP: points around a ring of eight places. How many are hit, and how near the points are."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Task, Trainer

PLACES, SPREAD, NOISE = 8, 0.05, 4
angles = np.arange(PLACES) * 2 * np.pi / PLACES
centers = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")


def real_points(count, seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, SPREAD, (count, 2))
    return (centers[rng.integers(0, PLACES, count)] + noise).astype("float32")


class WGAN(Task):
    batch_size = 256

    def __init__(self, n_critic: int = 5, penalty: float = 1.0, learning_rate: float = 1e-3):
        self.n_critic, self.penalty, self.learning_rate = n_critic, penalty, learning_rate

    def configure_model(self):
        def network(inputs, outputs):
            hidden = [keras.layers.Dense(64, "relu") for _ in range(3)]
            return keras.Sequential([keras.Input((inputs,)), *hidden, keras.layers.Dense(outputs)])

        self.generator, self.critic = network(NOISE, 2), network(2, 1)

    def configure_optimizers(self):
        def adam():
            return keras.optimizers.Adam(self.learning_rate, beta_1=0.5, beta_2=0.9)

        return {"critic": adam(), "generator": adam()}

    def generate(self, count):
        return self.generator(keras.random.normal((count, NOISE)))

    def critic_loss(self, real):
        count = tf.shape(real)[0]
        fake = self.generate(count)
        between = real + keras.random.uniform((count, 1)) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = self.critic(between)
        slopes = tf.norm(tape.gradient(scores, between) + 1e-12, axis=-1)
        distance = tf.reduce_mean(self.critic(real)) - tf.reduce_mean(self.critic(fake))
        return self.penalty * tf.reduce_mean((slopes - 1) ** 2) - distance

    def training_step(self, real):
        for _ in range(self.n_critic):
            self.minimize("critic", lambda: self.critic_loss(real))
        count = tf.shape(real)[0]
        self.minimize("generator", lambda: -tf.reduce_mean(self.critic(self.generate(count))))

    def predict_step(self, noise):
        return self.generator(noise)


def main(epochs: int = 60) -> dict[str, float]:
    task, trainer = WGAN(), Trainer(max_epochs=epochs, seed=0)
    trainer.fit(task, real_points(5120, seed=0))

    noise = np.random.default_rng(1).normal(size=(2000, NOISE)).astype("float32")
    points = np.concatenate(trainer.predict(task, noise, collect=True))
    distances = np.linalg.norm(points[:, None] - centers, axis=-1)
    near = distances.min(axis=1) < 4 * SPREAD
    hits = np.bincount(distances.argmin(axis=1)[near], minlength=PLACES)
    area = PLACES * np.pi * (4 * SPREAD) ** 2 / 2.4**2  # of evenly spread points
    return {
        "places": int((hits > 2000 / PLACES / 4).sum()),
        "near": float(near.mean()),
        "chance": round(float(area), 3),
    }


if __name__ == "__main__":
    print(main())
