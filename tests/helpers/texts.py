"""A few short texts of two or three kinds, which a network tells apart in seconds."""

import numpy as np

SUBJECTS = ("film", "plot", "cast", "score", "ending", "story", "scene", "hero")
KINDS = {
    "bad": ("awful", "boring", "dull"),
    "good": ("great", "lovely", "superb"),
    "odd": ("strange", "weird", "puzzling"),
}


def texts(count=48, classes=2, seed=0):
    """Texts of two to seven words and their labels, in turn of every class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    words = list(KINDS.values())
    made = []
    for label in labels:
        chosen = [*random.choice(SUBJECTS, random.integers(1, 7)), random.choice(words[label])]
        made.append(" ".join(random.permutation(chosen)))
    return made, labels.tolist()
