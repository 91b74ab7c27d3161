"""The generator and the discriminator of both contenders, those of DCGAN for 28 x 28 pixels."""

import keras


def generator():
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(7 * 7 * 64, use_bias=False),
            keras.layers.Reshape((7, 7, 64)),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2DTranspose(32, 4, 2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh"),
        ],
        name="generator",
    )


def discriminator():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 4, 2, padding="same"),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dropout(0.3),
            keras.layers.Conv2D(64, 4, 2, padding="same"),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dropout(0.3),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ],
        name="discriminator",
    )
