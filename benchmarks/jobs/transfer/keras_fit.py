"""Cats and dogs: a new head on MobileNetV2, then its upper layers too, at a tenth of the rate."""

import sys
from pathlib import Path

import keras
import tensorflow as tf

data, epochs = Path(sys.argv[1]), int(sys.argv[2])
keras.utils.set_random_seed(0)
from_folder = keras.utils.image_dataset_from_directory
train, val = from_folder(
    data / "photos/train", validation_split=0.1, subset="both", seed=0, image_size=(160, 160)
)
test = from_folder(data / "photos/test", shuffle=False, image_size=(160, 160))
train, val, test = (split.prefetch(tf.data.AUTOTUNE) for split in (train, val, test))

base_model = keras.applications.MobileNetV2(
    input_shape=(160, 160, 3), include_top=False, weights=str(data / "mobilenet_v2.h5")
)
base_model.trainable = False
inputs = keras.Input((160, 160, 3))
x = keras.layers.RandomFlip("horizontal")(inputs)
x = keras.applications.mobilenet_v2.preprocess_input(x)
x = base_model(x, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
model = keras.Model(inputs, keras.layers.Dense(1)(x))


def fit(rate, first, last):
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    model.fit(
        train,
        initial_epoch=first,
        epochs=last,
        validation_data=val,
        callbacks=[
            keras.callbacks.ModelCheckpoint("model.keras"),
            keras.callbacks.CSVLogger("metrics.csv", append=first > 0),
        ],
    )


fit(1e-3, 0, epochs)
base_model.trainable = True
with_weights = [layer for layer in base_model.layers if layer.weights]
for layer in with_weights[:-30]:
    layer.trainable = False
fit(1e-4, epochs, 2 * epochs)
print("accuracy", model.evaluate(test)[1])
