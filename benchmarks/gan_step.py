"""A step of two optimizers: a GAN of MLPs under the Trainer beside a bare loop of the same updates.

    python benchmarks/gan_step.py [--runs 5] [--write] [--check] [--quick]

A generator (16 random numbers, 128 and 64 units, 32 outputs) and a discriminator (32 inputs, 128
and 64 units, one output), the losses of Goodfellow et al. (https://arxiv.org/abs/1406.2661), two
Adam optimizers, batch 64. Every update of both comes from the weights as they were when the step
began. The Trainer has its default callbacks: progress bar (drawn in full, into memory), model
summary, a row every 50 updates, a checkpoint after every epoch. The bare loop is one tf.function of
50 steps, whose losses are read after every call.

A step's time is that of an epoch, from its start to the start of the next, divided by its steps;
the first epoch, which holds tracing, is left out and shows in the whole call.
"""

from __future__ import annotations

import time

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer

LATENT, OUTPUTS, BATCH, WINDOW = 16, 32, 64, 50
STEPS = 1000

X = np.random.RandomState(0).randn(STEPS * BATCH, OUTPUTS).astype("float32")
RATES = {"learning_rate": 2e-4, "beta_1": 0.5}


def dataset() -> tf.data.Dataset:
    """Return the pipeline of both contenders."""
    return tf.data.Dataset.from_tensor_slices(X).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def network(inputs: int, outputs: int) -> keras.Model:
    """Return an MLP of two hidden layers."""
    hidden = [keras.layers.Dense(units, activation="relu") for units in (128, 64)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, keras.layers.Dense(outputs)])


def losses(
    generator: keras.Model, discriminator: keras.Model, real: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the losses of the generator and of the discriminator."""
    latents = keras.random.normal((BATCH, LATENT), seed=generator.seeds)
    fake_logits = discriminator(generator(latents, training=True), training=True)
    real_logits = discriminator(real, training=True)
    generator_loss = tf.reduce_mean(tf.nn.softplus(-fake_logits))
    discriminator_losses = tf.nn.softplus(fake_logits) + tf.nn.softplus(-real_logits)
    return generator_loss, tf.reduce_mean(discriminator_losses)


def networks() -> tuple[keras.Model, keras.Model]:
    """Return generator and discriminator."""
    generator = network(LATENT, OUTPUTS)
    generator.seeds = keras.random.SeedGenerator(0)
    return generator, network(OUTPUTS, 1)


class Noise(DataModule):
    """Random rows, in a data set that is made once."""

    def setup(self, stage: str) -> None:
        """Make the data set."""
        self.batches = dataset()

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the same batches in every epoch."""
        return self.batches


class SmallGAN(Task):
    """The GAN as a Task."""

    def __init__(self) -> None:
        self.data = Noise(BATCH)

    def configure_model(self) -> None:
        """Make both networks."""
        self.generator, self.discriminator = networks()

    def configure_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Return Adam for each network."""
        names = ("generator", "discriminator")
        return {name: keras.optimizers.Adam(**RATES) for name in names}

    def training_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return both losses of rows (64, 32) float32."""
        generator_loss, discriminator_loss = losses(self.generator, self.discriminator, batch)
        return {"generator": generator_loss, "discriminator": discriminator_loss}


def trainer_fit(epochs: int) -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            trainer = Trainer(max_epochs=epochs, default_root_dir=folder, callbacks=[clock])
            trainer.fit(SmallGAN())

        return measure.timed(run, clock.starts)


def bare_loop(epochs: int) -> measure.Timing:
    starts: list[float] = []

    def run() -> None:
        models = networks()
        trained = [model.trainable_variables for model in models]
        optimizers = [keras.optimizers.Adam(**RATES) for _ in models]
        for optimizer, variables in zip(optimizers, trained, strict=True):
            optimizer.build(variables)

        @tf.function
        def call(iterator: tf.data.Iterator) -> tf.Tensor:
            total = tf.zeros([2])
            for _ in tf.range(WINDOW):
                batch = next(iterator)
                with tf.GradientTape(persistent=True) as tape:
                    both = losses(*models, batch)
                gradients = [
                    tape.gradient(loss, [variable.value for variable in variables])
                    for loss, variables in zip(both, trained, strict=True)
                ]
                for number, optimizer in enumerate(optimizers):
                    optimizer.apply(gradients[number], trained[number])
                total += tf.stack(both)
            return total / WINDOW

        data = dataset()
        for _ in range(epochs):
            starts.append(time.perf_counter())
            iterator = iter(data)
            for _ in range(STEPS // WINDOW):
                call(iterator).numpy()
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    epochs = 5
    if options.quick:
        options.runs, epochs = min(options.runs, 3), 3
    runs = {"Trainer.fit": lambda: trainer_fit(epochs), "bare loop": lambda: bare_loop(epochs)}
    medians, rounds = measure.alternate(runs, options.runs)
    ours, bare = rounds.values()
    ratio = 1 / measure.speed(ours, bare)
    rows = [
        [
            name,
            f"{timing.epoch / STEPS * 1e6:.0f}",
            measure.spread(rounds[name]),
            f"{timing.whole:.2f}",
        ]
        for name, timing in medians.items()
    ]
    table = measure.table(["", "us a step", "spread", f"whole call, {epochs} epochs (s)"], rows)
    text = f"GAN of two MLPs, batch {BATCH}, {STEPS} steps an epoch.\n\n{table}"
    targets = [measure.Target("step to the bare loop's", ratio, at_most=1.15)]
    measure.report("gan_step", text, targets, options)


if __name__ == "__main__":
    main()
