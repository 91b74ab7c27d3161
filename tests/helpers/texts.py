"""Short texts of two or three classes, which a network learns in seconds."""

import numpy as np

SUBJECTS = ("film", "plot", "cast", "score", "ending", "story", "scene", "hero")
KINDS = {
    "bad": ("awful", "boring", "dull"),
    "good": ("great", "lovely", "superb"),
    "odd": ("strange", "weird", "puzzling"),
}


def texts(count=48, classes=2, seed=0):
    """Return texts of two to seven words and their labels, alternating between the classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    words = list(KINDS.values())
    strings = []
    for label in labels:
        chosen = [*random.choice(SUBJECTS, random.integers(1, 7)), random.choice(words[label])]
        strings.append(" ".join(random.permutation(chosen)))
    return strings, labels.tolist()
