"""OptionParser: the options of a command line, spelled out, parsed, and refused with a reason."""

import inspect
from argparse import ArgumentError
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from lightning_tf import callbacks, tasks
from lightning_tf.callback import Callback
from lightning_tf.cli.errors import explain
from lightning_tf.cli.short_options import ShortOptions, values_of
from lightning_tf.cli.task_file import comment_of, import_file_of, task_of_file
from lightning_tf.data.sources.held_out_options import held_out_options
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger
from lightning_tf.storage.remote_files import local_file
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

HELD_OUT = {"val_data": "val", "test_data": "test"}  # by option
OF_TUNE = ("search", "method", "trials", "monitor", "mode", "storage", "output")
# Of one call, and not part of what is trained.
OF_THE_CALL = (
    *("config", "ckpt_path", "weights_only", "folds", "fold_by", "fold_groups"),
    *OF_TUNE,
    *HELD_OUT,
)
# Of tune, and of a callback or logger that is named before them and takes them.
AFTER_CLASS = ("monitor", "mode")


class OptionParser:
    """Reads the options of one command, and makes the Trainer and the Task of them.

    Args:
        command: Such as ``fit``.

    Example:
        >>> parser = OptionParser("fit")
        >>> options = parser.parse(["--task", "ImageClassification", "--max_epochs", "5"])
        >>> parser.instantiate(options).trainer.max_epochs
        5
    """

    def __init__(self, command: str) -> None:
        self._parser = _parser(command)
        self._after_class = AFTER_CLASS if command == "tune" else ()
        self._comment = ""  # of the config: where the task's file is

    def parse(self, words: Sequence[str]) -> Namespace:
        """Return the options.

        Args:
            words: After the command.

        Raises:
            ConfigurationError: One of them cannot be; the message says which and why.
        """
        try:
            options: Namespace = self._parser.parse_args(self._spelled_out(words))
        except ConfigurationError:
            raise
        except (ArgumentError, ValueError) as error:
            # jsonargparse has no public list of its options.
            known = [option for a in self._parser._actions for option in a.option_strings]
            raise ConfigurationError(explain(str(error), known, _class_names())) from error
        _place_held_out(options)
        return options

    def instantiate(self, options: Namespace) -> Any:
        """Make what the options name, as attributes ``trainer`` and ``task``."""
        return self._parser.instantiate(options)

    def config(self, options: Namespace) -> str:
        """Return the text of a file that goes on with the same training, whatever this call did."""
        of_training = options.clone()
        for name in OF_THE_CALL:
            of_training.pop(name, None)
        return self._comment + str(
            self._parser.dump(of_training, skip_unset=False, skip_validation=True)
        )

    def long_name(self, name: str, words: Sequence[str]) -> str:
        """Return an option's name in full, without dashes, as at the end of a command line.

        Args:
            name: Such as ``learning_rate``.
            words: The others.

        Raises:
            ConfigurationError: It may be of the Trainer as well as of the task.
        """
        return self._spelled_out([*words, f"--{name}=0"])[-1].removeprefix("--").partition("=")[0]

    def _spelled_out(self, words: Sequence[str]) -> list[str]:
        """Return the options as the parser knows them; imports a task that is given by its file."""
        words = [*words]
        for value in values_of("--config", words):
            config = local_file("--config", value)
            words = [w.replace(value, config) if value in w else w for w in words]
            import_file_of(config)
        for given in values_of("--task", words):
            self._comment = comment_of(given)
            words = [w.replace(given, task_of_file(given)) if given in w else w for w in words]
        own = {a.dest for a in self._parser._actions if "." not in a.dest} - {"trainer"}
        trainer = set(inspect.signature(Trainer).parameters)
        return ShortOptions(own, trainer, _find_class, self._after_class)(words)


def _parser(command: str) -> Any:
    for package in (tasks, callbacks):  # jsonargparse knows a short name once its class exists
        for name in package.__all__:
            getattr(package, name)

    parser = ArgumentParser(
        prog=f"lightning-tf {command}", exit_on_error=False, allow_abbrev=False, add_help=False
    )
    parser.add_argument("--config", action="config")

    parser.add_class_arguments(Trainer, "trainer", skip={"callbacks", "logger"})
    # Trainer takes more kinds of these than a command line can name.
    parser.add_argument("--trainer.callbacks", type=list[Callback] | None)
    parser.add_argument("--trainer.logger", type=bool | Logger | list[Logger], default=True)
    # A parameter without a type takes whatever is given.
    parser.add_subclass_arguments(Task, "task", required=True, fail_untyped=False)
    _add_options(parser, command)
    return parser


def _add_options(parser: Any, command: str) -> None:
    """Add what a command takes beside the Trainer's and the task's arguments."""
    if command == "verify":
        parser.add_argument("--from", type=str | None)
        parser.add_argument("--to", type=str | None)
    elif command not in ("inspect", "tune"):
        parser.add_argument("--ckpt_path", type=str | None)
    if command in ("fit", "tune"):
        _add_options_of_training(parser, command)
    if command == "inspect":
        parser.add_argument("--output", type=str | None)
        parser.add_argument("--max_examples", type=int, default=100_000)
    if command == "predict":
        parser.add_argument("--output", type=str | None)
        parser.add_argument("--data", type=str | None)
        parser.add_argument("--data_options", type=dict[str, Any] | None)
        parser.add_argument("--batch_size", type=int | None)
        parser.add_argument("--format", type=str | None)
        parser.add_argument("--save_images", type=bool, default=False)
        parser.add_argument("--heat_maps", type=str | None)
        parser.add_argument("--explain", type=bool, default=False)
    if command in ("test", "export"):
        parser.add_argument("--quantize", type=str | None)
    if command == "export":
        parser.add_argument("--output", type=str, required=True)
        parser.add_argument("--format", default="saved_model")


def _add_options_of_training(parser: Any, command: str) -> None:
    for name in HELD_OUT:
        parser.add_argument(f"--{name}", type=str | None)
    if command == "fit":
        parser.add_argument("--weights_only", type=bool, default=False)
        parser.add_argument("--folds", type=int | None)
        parser.add_argument("--fold_by", type=str | None)
        parser.add_argument("--fold_groups", type=str | None)
        return

    parser.add_argument("--search", type=dict[str, Any] | None)
    parser.add_argument("--method", default="tpe")
    parser.add_argument("--trials", type=int | None)
    for name in ("monitor", "mode", "storage", "output"):
        parser.add_argument(f"--{name}", type=str | None)


def _place_held_out(options: Namespace) -> None:
    """Make of --val_data and --test_data options of the task's data, where a config keeps them."""
    given = {HELD_OUT[name]: options.get(name) for name in HELD_OUT}
    held_out = {stage: data for stage, data in given.items() if data is not None}
    if not held_out:
        return
    arguments: Any = options.task.get("init_args") or {}
    placed = held_out_options(arguments.get("data"), held_out)
    if placed is None or "data_options" not in arguments:
        raise ConfigurationError(
            f"--{next(n for n in HELD_OUT if options[n])} goes with a folder of classes or a table "
            f"of a task that reads it, and --data is {arguments.get('data')!r}."
        )
    arguments.data_options = {**(arguments.data_options or {}), **placed}
    for name in HELD_OUT:
        options[name] = None


def _find_class(name: str) -> type | None:
    """Return a class by its short name or import path; None where there is none."""
    for package in (tasks, callbacks):
        if name in package.__all__:
            return getattr(package, name)  # type: ignore[no-any-return]
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute) if module else None
    except Exception:
        return None  # the parser says what is wrong with it
    return found if inspect.isclass(found) else None


def _class_names() -> dict[str, list[str]]:
    """Return the short names of the package's classes by the option that takes them."""
    loggers = [n for n in callbacks.__all__ if issubclass(getattr(callbacks, n), Logger)]
    others = sorted(set(callbacks.__all__) - {*loggers})
    known = [n for n in tasks.__all__ if issubclass(getattr(tasks, n), Task)]
    return {"task": known, "trainer.callbacks": others, "trainer.logger": loggers}
