# %% [markdown]
# # A GAN of your own
#
# Two networks against each other: a **generator** makes digits of noise, a **discriminator** tells
# them from real ones. Each has an optimizer and a loss of its own, for which `fit` of Keras has no
# place. Here it is a task of fifty lines.
#
# (There is a [GAN](../gan.md) task with four losses ready to use. This notebook is about writing
# one.)

# %% tags=["remove-output"]
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from lightning_tf import Task, Trainer

# %%
images = load_digits().images.astype("float32")[..., None] / 8 - 1  # to [-1, 1]

figure, axes = plt.subplots(1, 10, figsize=(10, 1.2))
for image, place in zip(images, axes, strict=False):
    place.imshow(image[..., 0], cmap="gray")
    place.axis("off")

# %% [markdown]
# ## The task
#
# - `configure_model` makes the networks, as attributes.
# - `configure_optimizers` names an optimizer for each of them.
# - `training_step` returns a loss for each. The Trainer moves the generator's weights by the
#   generator's loss alone, and the discriminator's by its own.
# - Hooks such as `on_train_epoch_end` run where their names say. What is logged there reaches every
#   logger, and this notebook.


# %%
class DigitGAN(Task):
    """Makes digits of 8 x 8 pixels."""

    batch_size = 64

    def __init__(self, noise: int = 32, units: int = 256, rate: float = 5e-4):
        self.noise, self.units, self.rate = noise, units, rate
        self.loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def configure_model(self):
        def network(*layers):
            hidden = [keras.layers.Dense(self.units) for _ in range(2)]
            leaky = [(layer, keras.layers.LeakyReLU(0.2)) for layer in hidden]
            middle = [each for pair in leaky for each in pair]
            return keras.Sequential([layers[0], *middle, *layers[1:]])

        self.generator = network(
            keras.Input((self.noise,)),
            keras.layers.Dense(64, activation="tanh"),
            keras.layers.Reshape((8, 8, 1)),
        )
        self.discriminator = network(keras.layers.Flatten(), keras.layers.Dense(1))
        self.discriminator.build((None, 8, 8, 1))

    def configure_optimizers(self):
        return {
            "generator": keras.optimizers.Adam(self.rate, beta_1=0.5),
            "discriminator": keras.optimizers.Adam(self.rate, beta_1=0.5),
        }

    def training_step(self, real):
        made = self.generator(keras.random.normal((tf.shape(real)[0], self.noise)))
        of_real, of_made = self.discriminator(real), self.discriminator(made)
        ones, zeros = tf.ones_like(of_real), tf.zeros_like(of_real)

        self.log("taken_for_real", tf.reduce_mean(tf.sigmoid(of_made)))
        return {
            "generator": self.loss(ones, of_made),
            "discriminator": self.loss(0.9 * ones, of_real) + self.loss(zeros, of_made),
        }

    def predict_step(self, noise):
        return self.generator(noise)

    def on_train_epoch_end(self):
        if (self.trainer.current_epoch + 1) % 20 == 0:
            noise = np.random.default_rng(0).normal(size=(24, self.noise)).astype("float32")
            made = self.generator(noise).numpy()
            self.trainer.log_images("samples", np.clip((made + 1) / 2, 0, 1))


# %% [markdown]
# ## Train
#
# The curves of a GAN do not fall. What to look for is balance: `taken_for_real`, what the
# discriminator thinks of made digits, should stay well above 0, and neither loss should run away.
# The samples tell more than any of the numbers; of the images of a name a notebook shows the last.

# %%
task = DigitGAN()
trainer = Trainer(max_epochs=200, seed=0)
trainer.fit(task, images)

# %%
task

# %% [markdown]
# ## From one digit to another
#
# Noise between two points gives digits between two digits.

# %%
ends = np.random.default_rng(5).normal(size=(2, 3, 1, task.noise))
share = np.linspace(0, 1, 10)[None, :, None]
noise = ((1 - share) * ends[0] + share * ends[1]).reshape(-1, task.noise).astype("float32")
made = np.concatenate(trainer.predict(task, noise, collect=True))

figure, axes = plt.subplots(3, 10, figsize=(10, 3.2))
for image, place in zip(made, axes.flat, strict=True):
    place.imshow(image[..., 0], cmap="gray")
    place.axis("off")

# %% [markdown]
# ## Did it copy?
#
# A generator that repeats its training images is no use. The distance of each made digit to the
# nearest real one, beside that of real digits to the nearest *other* real one:

# %%
noise = np.random.default_rng(1).normal(size=(500, task.noise)).astype("float32")
made = np.concatenate(trainer.predict(task, noise, collect=True)).reshape(500, -1)
real = images.reshape(len(images), -1)


def nearest(points, others, skip=0):
    distances = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return np.sort(distances, axis=1)[:, skip]


print(f"made to real: {np.median(nearest(made, real)):.2f}")
print(f"real to real: {np.median(nearest(real[:500], real, skip=1)):.2f}")

# %% [markdown]
# [Write your own task](../own_task.md) has the rest: several updates in a step, weights of
# examples, target networks, schedules.
