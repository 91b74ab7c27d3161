"""Whether a review is positive, by the mean of its words' embeddings."""

import sys
from pathlib import Path

import keras
import pandas as pd
import tensorflow as tf

data = Path(sys.argv[1])
keras.utils.set_random_seed(0)
train, test = (pd.read_csv(data / f"{split}.csv") for split in ("train", "test"))
train = train.sample(frac=1.0, random_state=0)
held_out = len(train) // 10

vectorize = keras.layers.TextVectorization(max_tokens=20_000, output_sequence_length=500)
vectorize.adapt(train["text"].to_numpy()[held_out:])


def dataset(table):
    texts = tf.data.Dataset.from_tensor_slices((table["text"].to_numpy(), table["label"]))
    texts = texts.batch(64).map(lambda text, label: (vectorize(text), label))
    return texts.cache()


model = keras.Sequential(
    [
        keras.layers.Embedding(20_000, 64, mask_zero=True),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(2),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(5e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
batches = dataset(train[held_out:])
model.fit(
    batches.shuffle(len(batches)).prefetch(tf.data.AUTOTUNE),
    epochs=int(sys.argv[2]),
    validation_data=dataset(train[:held_out]).prefetch(tf.data.AUTOTUNE),
    callbacks=[
        keras.callbacks.ModelCheckpoint("model.keras"),
        keras.callbacks.CSVLogger("metrics.csv"),
    ],
)
print("accuracy", model.evaluate(dataset(test))[1])
