"""gallery_command: what `lightning-tf gallery` does."""

import argparse
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.gallery.experiments import EXPERIMENTS

if TYPE_CHECKING:
    from lightning_tf.gallery.gallery_run import Outcome

WRONG_USE, INTERRUPTED = 2, 130  # exit codes
DATA = "LIGHTNING_TF_DATA"
ALL = "all"


def add_gallery(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    gallery = commands.add_parser(
        "gallery",
        help="list the experiments of the gallery, or run them",
        description="List the experiments of the gallery, or run those that are named: each "
        "writes images and its figures, in at most 3 minutes on 2 cores.",
    )
    gallery.add_argument("names", nargs="*", metavar="NAME", help="which to run; all for all")
    gallery.add_argument(
        "--full", action="store_true", help="take the time that the best figure needs"
    )
    gallery.add_argument(
        "--output", default="runs/gallery", metavar="FOLDER", help="where to, %(default)s"
    )
    gallery.add_argument(
        "--data_dir", metavar="FOLDER", help=f"where real data are looked for first; ${DATA}"
    )


def gallery_command(options: argparse.Namespace) -> int:
    """List the experiments, or run those that are named.

    Args:
        options: Of the command line.

    Returns:
        The exit code: 0, 2 where the options are wrong or something that is needed is missing.
    """
    if not options.names:
        print(listing())
        return 0
    for name in options.names:
        if name != ALL and name not in EXPERIMENTS:
            print(f"lightning-tf gallery: {_unknown(name)}", file=sys.stderr)
            return WRONG_USE

    names = list(EXPERIMENTS) if ALL in options.names else list(dict.fromkeys(options.names))
    print("lightning-tf gallery: loading TensorFlow", file=sys.stderr, flush=True)
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files
    from lightning_tf.checks import why_unwritable
    from lightning_tf.gallery.gallery_run import GalleryRun

    reason = why_unwritable(options.output)
    if reason:
        print(f"lightning-tf gallery: --output {options.output}: {reason}", file=sys.stderr)
        return WRONG_USE

    run = GalleryRun(
        Path(options.output), full=options.full, data_dir=options.data_dir or os.environ.get(DATA)
    )
    code = 0
    for name in names:
        try:
            _report(run.run(name))
        except (ConfigurationError, DataError) as error:
            # Of several experiments one without its data stops no other.
            print(f"lightning-tf gallery: {name}: {error}", file=sys.stderr, flush=True)
            code = WRONG_USE
        except KeyboardInterrupt:
            print("lightning-tf gallery: Ctrl-C: it ends here.", file=sys.stderr)
            return INTERRUPTED
    if run.page.exists():
        print(f"table and images: {run.page}")
    return code


def _report(outcome: "Outcome") -> None:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
    print(f"{outcome.experiment.name}: {figures} ({outcome.seconds:.0f} s)", flush=True)
    print(f"  images: {outcome.folder}", flush=True)


def listing() -> str:
    """Return the experiments as text, chapter by chapter."""
    width = max(map(len, EXPERIMENTS))
    lines, chapter = [], ""
    for experiment in EXPERIMENTS.values():
        if experiment.chapter != chapter:
            chapter = experiment.chapter
            lines.append(f"\n{chapter}")
        lines.append(
            f"  {experiment.name:{width}}  {experiment.what} ({experiment.figure} "
            f"{experiment.reached:.4g}, {experiment.seconds} s)"
        )
    lines.append("\nlightning-tf gallery NAME runs one, lightning-tf gallery all runs all.")
    return "\n".join(lines).lstrip("\n")


def _unknown(name: str) -> str:
    close = get_close_matches(name, EXPERIMENTS, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no experiment {name!r}.{hint} They are: {', '.join(EXPERIMENTS)}, or all."
