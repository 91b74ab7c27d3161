"""playground: points of the plane in two classes that small networks are tried on."""

import numpy as np
from numpy.typing import NDArray

PLAYGROUNDS = ("and", "or", "xor", "circles", "spirals")
CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
TRUTH = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
TURNS = 1.75  # of each spiral, as on playground.tensorflow.org


def playground(
    name: str, examples: int = 1000, noise: float | None = None, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw points in about [-1, 1] x [-1, 1] and their classes.

    ``and``, ``or`` and ``xor`` are the four corners with their truth value, each many times with
    noise around it; ``circles`` a disc in a ring; ``spirals`` two spirals in one another.

    Args:
        name: One of `PLAYGROUNDS`.
        examples: How many points, half of them of each class but for and, or.
        noise: Standard deviation; None is 0.2 for the corners and 0.02 for the others.
        seed: Of positions and noise.

    Returns:
        Float32 of shape (examples, 2) and int32 of shape (examples,).

    Example:
        >>> x, y = playground("xor", 4, noise=0.0)
        >>> x.tolist(), y.tolist()
        ([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    random = np.random.RandomState(seed)
    order = np.arange(examples)

    if name in TRUTH:
        x, y = CORNERS[order % 4], np.array(TRUTH[name])[order % 4]
        noise = 0.2 if noise is None else noise
    else:
        y = order % 2
        along = random.uniform(0.0, 1.0, examples)
        if name == "circles":
            radius = np.where(y == 1, 0.5 * np.sqrt(along), np.sqrt(0.5 + 0.5 * along))
            angle = random.uniform(0.0, 2.0 * np.pi, examples)
        else:
            radius, angle = 0.1 + 0.9 * along, 2.0 * np.pi * TURNS * along + np.pi * y
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        noise = 0.02 if noise is None else noise

    x = x + noise * random.normal(size=x.shape)
    return x.astype(np.float32), y.astype(np.int32)
