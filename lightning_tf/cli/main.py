"""The `lightning-tf` command."""

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from lightning_tf.cli.doctor_run import add_doctor, doctor_run
from lightning_tf.cli.gallery_command import add_gallery, gallery_command
from lightning_tf.cli.help import COMMANDS, command_help, task_list, usage_of
from lightning_tf.cli.launcher import GRACE_SECONDS, Launcher, new_log_folder
from lightning_tf.cli.nodes import Nodes
from lightning_tf.cli.serve_run import add_serve, serve_run
from lightning_tf.cli.worker_group import say
from lightning_tf.exceptions import TRY_AGAIN, ConfigurationError
from lightning_tf.lean_import import lean_import
from lightning_tf.run.termination import TERMINATION
from lightning_tf.version import __version__

HELP = ("-h", "--help")
INTERRUPTED = 130  # as a shell has it after Ctrl-C


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    root = argparse.ArgumentParser("lightning-tf", description="Train Keras models, and use them.")
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(dest="command", required=True)
    for command, text in COMMANDS.items():
        commands.add_parser(command, help=text, add_help=False)
    commands.add_parser("tasks", help="list the tasks that there are")

    report = commands.add_parser(
        "report",
        help="write one run, or several side by side, as a page of HTML",
        description="Write one run, or several side by side, as one file of HTML that opens in a "
        "browser without a network.",
    )
    report.add_argument("runs", nargs="+", metavar="RUN", help="its folder: runs/version_0")
    report.add_argument("--output", help="the file; report.html in the first RUN by default")

    add_serve(commands)
    add_doctor(commands)
    add_gallery(commands)

    launch = commands.add_parser(
        "launch",
        help="run a script in several local worker processes",
        description="Run a script in several local processes that train together.",
        usage="lightning-tf launch --workers N [options] -- script.py [arguments]",
        epilog=f"Exit codes: that of the worker that failed first; {TRY_AGAIN} where starting it "
        "again may help: after SIGTERM, or where a worker was lost.",
    )
    launch.add_argument("--workers", type=int, required=True, help="how many processes here")
    launch.add_argument(
        "--gpus-per-worker", type=int, help="show each worker so many GPUs of its own"
    )
    launch.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        help="seconds that the others get to end when a worker fails, %(default)s",
    )
    launch.add_argument(
        "--max-restarts",
        type=int,
        default=0,
        metavar="N",
        help=f"start all again, at most so often, where a worker is killed or exits with "
        f"{TRY_AGAIN}; a fit goes on from its newest checkpoint; %(default)s",
    )
    launch.add_argument(
        "--log-dir",
        help="where each worker's output goes too; launch_logs/launch_0, launch_1, ...",
    )
    launch.add_argument(
        "--nodes", type=int, default=1, metavar="N", help="how many machines take part, %(default)s"
    )
    launch.add_argument(
        "--node-rank", type=int, default=0, metavar="R", help="which of them this is, from 0"
    )
    launch.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="where the launcher of rank 0 listens; worker i listens at PORT + 1 + i",
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
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        try:
            with TERMINATION.watching():  # TensorFlow's import takes seconds
                return _run(*words)
        except KeyboardInterrupt:
            if sys.excepthook is sys.__excepthook__:  # else all is said already
                print(f"lightning-tf {words[0]}: Ctrl-C: it ends here.", file=sys.stderr)
            return INTERRUPTED

    options = build_parser().parse_args(words)
    if options.command == "tasks":
        _say(task_list())
        return 0
    if options.command == "report":
        return _report(options)
    if options.command == "serve":
        _see_current_folder()
        return serve_run(options)
    if options.command == "doctor":
        _see_current_folder()
        return doctor_run(options)
    if options.command == "gallery":
        return gallery_command(options)
    return _launch(options)


def _see_current_folder() -> None:
    # As for `python -m`: a Task of the user's own most often stands in the folder he is in.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _run(command: str, *arguments: str) -> int:
    _see_current_folder()

    if not arguments:
        what = usage_of(command)
        use = f"usage: lightning-tf {command} {what} [options]; --help lists them"
        print(use, file=sys.stderr)
        return 2
    if set(arguments) & set(HELP):
        try:
            _say(command_help(command, _task_of(arguments)))
        except ConfigurationError as error:
            print(f"lightning-tf {command}: {error}", file=sys.stderr)
            return 2
        return 0

    if "tensorflow" not in sys.modules:  # which takes seconds to import
        print(f"lightning-tf {command}: loading TensorFlow", file=sys.stderr, flush=True)
    with lean_import():
        from lightning_tf.cli.run_command import RunCommand

    atexit.register(gc.freeze)  # the end of the process need not look for cycles
    if command == "tune":
        from lightning_tf.cli.tune_command import TuneCommand

        return TuneCommand(arguments).run()
    return RunCommand(command, arguments).run()


def _report(options: argparse.Namespace) -> int:
    from lightning_tf.run_report.report import report
    from lightning_tf.storage.location import portable

    try:
        _say(f"written: {portable(str(report(options.runs, options.output)))}")
    except ConfigurationError as error:
        print(f"lightning-tf report: {error}", file=sys.stderr)
        return 2
    return 0


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _task_of(arguments: Sequence[str]) -> str | None:
    for option, value in pairwise([*arguments, ""]):
        if option == "--task" and value not in ("", *HELP):
            return value
        if option.startswith("--task="):
            return option.removeprefix("--task=")
    return None


def _launch(options: argparse.Namespace) -> int:
    parser = build_parser()
    command = options.script[1:] if options.script[:1] == ["--"] else options.script
    if not command:
        parser.error("launch: give what to run after --, such as: -- train.py --epochs 3")
    if options.workers < 1:
        parser.error(f"launch: --workers {options.workers}: give at least 1")
    if options.gpus_per_worker is not None and options.gpus_per_worker < 0:
        parser.error(f"launch: --gpus-per-worker {options.gpus_per_worker}: give at least 0")

    if options.max_restarts < 0:
        parser.error(f"launch: --max-restarts {options.max_restarts}: give at least 0")

    try:
        log_dir = new_log_folder() if options.log_dir is None else Path(options.log_dir)
        launcher = Launcher(
            command,
            options.workers,
            gpus_per_worker=options.gpus_per_worker,
            grace_seconds=options.grace,
            max_restarts=options.max_restarts,
            log_dir=log_dir,
            nodes=Nodes(options.nodes, options.node_rank, options.coordinator),
        )
        say(f"logs of the workers: {log_dir}")
        return launcher.run()
    except ConfigurationError as error:
        parser.error(f"launch: {error}")
