"""gan_ring: mode collapse on a ring of eight normal distributions, seen and cured.

The ring is that of Metz, L., Poole, B., Pfau, D. and Sohl-Dickstein, J. (2017). Unrolled Generative
Adversarial Networks. https://arxiv.org/abs/1611.02163
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_tf.gallery.common.film import write_film
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.step_recorder import StepRecorder
from lightning_tf.tasks import GAN

MODES, RADIUS, SIGMA = 8, 2.0, 0.1
EDGE = 3.0  # of the plane; what the generator's tanh can reach
REAL, BATCH, EPOCHS = 25_600, 256, 20
SAMPLES = 4000  # of which a mode must get an eightieth to be covered
EVERY = 50  # updates
DRAWN = (50, 200, 500, 1000, 2000)
CELLS, SHADES = 50, 8  # of the density: along each axis, and of its color
SMOOTHING = (0.25, 0.5, 0.25)
FASTER, EQUAL, PENALTY = (
    "minimax, the generator\n10 times as fast",
    "minimax,\nequal rates",
    "wgan-gp,\nequal rates",
)
RUNS: dict[str, dict[str, Any]] = {
    FASTER: {"loss": "minimax", "learning_rate": (1e-3, 1e-4)},
    EQUAL: {"loss": "minimax", "learning_rate": 1e-3},
    PENALTY: {"loss": "wgan-gp", "learning_rate": 1e-3, "penalty_weight": 0.1},
}


class Coverage(NamedTuple):
    """What of the ring a set of points covers.

    Attributes:
        modes: How many of the eight have an eightieth of the points within three sigma.
        share: Of the points that lie within three sigma of any.
    """

    modes: int
    share: float


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train the same two networks three times and draw where their points lie.

    Args:
        folder: For gan_ring.png and gan_ring.gif.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    points, covered = {}, {}
    for name, options in RUNS.items():
        recorder = StepRecorder(lambda task: task.sample(SAMPLES).reshape(-1, 2), EVERY)
        task = GAN(
            # A point is an image of 1 x 2 pixels, whose values are its coordinates.
            ring(REAL).reshape(-1, 1, 2, 1),
            networks="mlp",
            latent_dim=8,
            width=64,
            dropout=0.0,
            ema=0.0,  # an average of weights would hide how the points wander
            batch_size=BATCH,
            data_options={"value_range": (-EDGE, EDGE)},
            **options,
        )
        quiet_trainer(EPOCHS, callbacks=[recorder]).fit(task)
        points[name] = recorder.by_step
        covered[name] = {step: coverage(kept) for step, kept in recorder.by_step.items()}

    _figure(points, covered).savefig(folder / "gan_ring.png", dpi=100)
    write_film(folder / "gan_ring.gif", _frames(points, covered), seconds=0.2, dpi=64)
    late = [each.modes for step, each in covered[FASTER].items() if step >= DRAWN[-2]]
    cured, equal = (covered[name][DRAWN[-1]] for name in (PENALTY, EQUAL))
    return {
        "modes covered, wgan-gp": cured.modes,
        "modes covered, minimax at equal rates": equal.modes,
        "most modes covered after half of the updates, generator 10 times as fast": max(late),
        "share of points within 3 sigma, wgan-gp": cured.share,
        "share of points within 3 sigma, minimax at equal rates": equal.share,
    }


def centers() -> NDArray[np.float32]:
    """Return the means of the distributions, shape (MODES, 2)."""
    angles = 2.0 * np.pi * np.arange(MODES) / MODES
    return (RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def ring(count: int) -> NDArray[np.float32]:
    """Draw points of the ring, shape (count, 2)."""
    random = np.random.default_rng(0)
    means = centers()[random.integers(MODES, size=count)]
    return means + random.normal(scale=SIGMA, size=(count, 2)).astype(np.float32)


def coverage(points: NDArray[np.floating]) -> Coverage:
    """Return what of the ring points of shape (n, 2) cover."""
    distances = np.linalg.norm(points[:, None] - centers(), axis=-1)  # (n, MODES)
    is_near = distances.min(axis=1) < 3.0 * SIGMA
    counts = np.bincount(distances.argmin(axis=1)[is_near], minlength=MODES)
    return Coverage(int((counts >= len(points) / 80).sum()), float(is_near.mean()))


def _figure(points: Mapping[str, Any], covered: Mapping[str, Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.6))
    figure.subplots_adjust(left=0.1, right=0.99, bottom=0.04, top=0.87, wspace=0.05, hspace=0.2)
    panels = figure.subplots(len(points), len(DRAWN))
    for row, name in zip(panels, points, strict=True):
        row[0].set_ylabel(name, fontsize=9)
        for axes, step in zip(row, DRAWN, strict=True):
            _draw(axes, points[name][step])
            axes.set_xlabel(f"{covered[name][step].modes} of {MODES} modes", fontsize=9)
    for axes, step in zip(panels[0], DRAWN, strict=True):
        axes.set_title(f"update {step}", fontsize=9)
    figure.suptitle("Density of generated points; circles: 3 sigma of the data's modes", size=11)
    return figure


def _frames(points: Mapping[str, Any], covered: Mapping[str, Any]) -> Iterator[Any]:
    from matplotlib.figure import Figure

    for step in range(EVERY, DRAWN[-1] + 1, EVERY):
        figure = Figure(figsize=(8, 3.5))
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.08, top=0.75, wspace=0.04)
        for axes, name in zip(figure.subplots(1, len(points)), points, strict=True):
            _draw(axes, points[name][step])
            axes.set_title(name, fontsize=10)
            axes.set_xlabel(f"{covered[name][step].modes} of {MODES} modes", fontsize=10)
        figure.suptitle(f"update {step}", fontsize=11)
        yield figure


def _draw(axes: Any, points: NDArray[np.floating]) -> None:
    """Draw the density of points, dark where it is high, and where those of the data lie."""
    from matplotlib import colormaps
    from matplotlib.patches import Circle

    edges = np.linspace(-EDGE, EDGE, CELLS + 1)
    density, _, _ = np.histogram2d(points[:, 1], points[:, 0], [edges, edges])
    for axis in (0, 1):  # smoothed: what is left to chance would fill the film's file
        density = np.apply_along_axis(np.convolve, axis, density, SMOOTHING, "same")
    extent = (-EDGE, EDGE, -EDGE, EDGE)
    # The root, so that what is thin is seen beside what is dense.
    shades = colormaps["Blues"].resampled(SHADES)
    axes.imshow(np.sqrt(density), shades, origin="lower", extent=extent, interpolation="nearest")
    for center in centers():
        axes.add_patch(Circle(center, 3.0 * SIGMA, fill=False, color="#b3470f", linewidth=0.8))
    axes.set(xticks=[], yticks=[])
