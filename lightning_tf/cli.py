"""The `lightning-tf` command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from lightning_tf.launcher import GRACE_SECONDS, Launcher
from lightning_tf.version import __version__


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    root = argparse.ArgumentParser("lightning-tf", description="Tools around lightning_tf.")
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(dest="command", required=True)
    launch = commands.add_parser(
        "launch",
        help="run a script in several local worker processes",
        description="Run a script in several local processes that train together.",
        usage="lightning-tf launch --workers N [options] -- script.py [arguments]",
    )
    launch.add_argument("--workers", type=int, required=True, help="how many processes")
    launch.add_argument(
        "--gpus-per-worker", type=int, help="show each worker so many GPUs of its own"
    )
    launch.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        help="seconds that the others get to end when a worker fails, %(default)s",
    )
    launch.add_argument("script", nargs=argparse.REMAINDER, help="after --: what to run")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; those of the process where None.

    Returns:
        The exit code.

    Example:
        >>> main(["launch", "--workers", "2", "--", "train.py", "--epochs", "3"])
    """
    given = parser()
    options = given.parse_args(arguments)
    command = options.script[1:] if options.script[:1] == ["--"] else options.script
    if not command:
        given.error("launch: give what to run after --, such as: -- train.py --epochs 3")
    if options.workers < 1:
        given.error(f"launch: --workers {options.workers}: give at least 1")
    if options.gpus_per_worker is not None and options.gpus_per_worker < 0:
        given.error(f"launch: --gpus-per-worker {options.gpus_per_worker}: give at least 0")
    return Launcher(
        command,
        options.workers,
        gpus_per_worker=options.gpus_per_worker,
        grace_seconds=options.grace,
    ).run()
