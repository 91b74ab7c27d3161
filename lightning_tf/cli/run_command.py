"""RunCommand: a Trainer and a Task from the options of a command line, and what to do with them."""

import inspect
import os
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from lightning_tf import callbacks, tasks
from lightning_tf.callback import Callback
from lightning_tf.callbacks import PredictionWriter
from lightning_tf.callbacks.config_writer import NAME, ConfigWriter
from lightning_tf.checkpoint.search import WORDS, checkpoint_of_run
from lightning_tf.cli.errors import explain
from lightning_tf.cli.label_new_data import label_new_data
from lightning_tf.cli.short_options import ShortOptions, values_of
from lightning_tf.cli.task_file import comment_of, import_file_of, task_of_file
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.data.sources.held_out_options import held_out_options
from lightning_tf.exceptions import ConfigurationError, LightningTFError
from lightning_tf.logger import Logger
from lightning_tf.run.cross_validate import cross_validate
from lightning_tf.run.session import find_checkpoint
from lightning_tf.run.verified_checkpoints import checkpoints_between
from lightning_tf.run.verify import verify
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

WRONG_USE, FAILED = 2, 1  # exit codes
OF_VERIFYING = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")
HELD_OUT = {"val_data": "val", "test_data": "test"}  # by option
# Not part of what is trained.
OF_THE_CALL = (
    "config",
    "ckpt_path",
    "weights_only",
    "output",
    "format",
    "save_images",
    "quantize",
    *HELD_OUT,
)
OF_FOLDS = ("folds", "fold_by", "fold_groups")


class RunCommand:
    """``lightning-tf`` fit, validate, test, predict, export, verify and inspect.

    Args:
        command: One of them.
        arguments: What follows it.

    Example:
        >>> RunCommand("fit", ["--task", "ImageClassification", "--trainer.max_epochs", "5"]).run()
        0
    """

    def __init__(self, command: str, arguments: Sequence[str]) -> None:
        self.command, self.arguments = command, list(arguments)
        self._parser = _parser(command)
        self._comment = ""  # of the config: where the task's file is

    def run(self) -> int:
        """Do it; errors of this package become one line.

        Returns:
            The exit code: 0, 2 where the options are wrong, 1 where something failed.
        """
        try:
            options = self._parser.parse_args(self._spelled_out(self._given()))
            _place_held_out(options)
        except ConfigurationError as error:
            return self._fail(WRONG_USE, error)
        except (ArgumentError, ValueError) as error:
            # jsonargparse has no public list of its options.
            known = [option for a in self._parser._actions for option in a.option_strings]
            return self._fail(WRONG_USE, explain(str(error), known, _class_names()))

        try:
            if options.get("data") is not None:
                self._label_new_data(options)
                return 0
            built = self._parser.instantiate(options)
            return getattr(self, f"_{self.command}")(built, options) or 0
        except Exception as error:
            reason = _package_error(error)
            if reason is None:
                raise
            wrong_use = isinstance(reason, ConfigurationError)
            return self._fail(WRONG_USE if wrong_use else FAILED, reason)

    def _given(self) -> list[str]:
        """Return the options, those of a run's file before those of the call."""
        has_run = bool(self.arguments) and not self.arguments[0].startswith("-")
        if self.command != "verify" and not (self.command == "predict" and has_run):
            return self.arguments
        if not has_run:
            raise ConfigurationError("give the folder of a run first, such as runs/version_0.")

        run, *rest = self.arguments
        config = Path(run).expanduser() / NAME
        if not config.is_file():
            remedy = {
                "verify": "For a run of a script call Trainer(...).verify(task, start, end) with "
                "the arguments of that script.",
                "predict": "For a run of a script call the task's from_checkpoint(path).predict("
                "data), or give --task NAME and --ckpt_path PATH.",
            }[self.command]
            raise ConfigurationError(
                f"{run} has no {NAME}, which lightning-tf fit writes. {remedy}"
            )
        return ["--config", str(config), *(OF_VERIFYING if self.command == "verify" else ()), *rest]

    def _spelled_out(self, words: Sequence[str]) -> list[str]:
        """Return the options as the parser knows them; imports a task that is given by its file."""
        for config in values_of("--config", words):
            import_file_of(config)
        words = [*words]
        for given in values_of("--task", words):
            self._comment = comment_of(given)
            words = [w.replace(given, task_of_file(given)) if given in w else w for w in words]
        own = {a.dest for a in self._parser._actions if "." not in a.dest} - {"trainer"}
        trainer = set(inspect.signature(Trainer).parameters)
        return ShortOptions(own, trainer, _find_class)(words)

    def _fail(self, code: int, message: object) -> int:
        print(f"lightning-tf {self.command}: {message}", file=sys.stderr)
        return code

    # ---- the commands

    def _fit(self, built: Namespace, options: Namespace) -> None:
        if options.folds is not None:
            self._cross_validate(built, options)
            return
        trainer: Trainer = built.trainer

        # The file goes on with the same training, wherever this call went on from or wrote to.
        of_training = options.clone()
        for name in (*OF_THE_CALL, *OF_FOLDS):
            of_training.pop(name, None)
        config = self._parser.dump(of_training, skip_unset=False, skip_validation=True)
        trainer.add_callback(ConfigWriter(self._comment + config))

        trainer.fit(built.task, ckpt_path=options.ckpt_path, weights_only=options.weights_only)
        _show(trainer.callback_metrics, options)
        if trainer.is_global_zero:
            print(f"written: {trainer.log_dir or trainer.default_root_dir}")

    def _cross_validate(self, built: Namespace, options: Namespace) -> None:
        if options.ckpt_path is not None:
            raise ConfigurationError("--folds begins anew in every fold: leave --ckpt_path out.")

        def make_trainer(folder: str) -> Trainer:
            own = options.clone()
            own.trainer.default_root_dir = folder
            trainer: Trainer = self._parser.instantiate(own).trainer
            return trainer

        def make_task() -> Task:
            task: Task = self._parser.instantiate(options).task
            return task

        count, root = options.folds, built.trainer.default_root_dir
        seed = built.trainer.seed or 0
        folds = [Fold(i, count, options.fold_by, options.fold_groups, seed) for i in range(count)]
        result = cross_validate(make_trainer, make_task, folds, root)
        print(result)
        print(f"written: {result.folder}")

    def _validate(self, built: Namespace, options: Namespace) -> None:
        _show(built.trainer.validate(built.task, ckpt_path=options.ckpt_path), options)

    def _test(self, built: Namespace, options: Namespace) -> None:
        if options.quantize is None:
            values = built.trainer.test(built.task, ckpt_path=options.ckpt_path)
        else:
            values = built.trainer.test(self._load_task(built, options))
        _show(values, options)

    def _predict(self, built: Namespace, options: Namespace) -> None:
        for name in ("data_options", "batch_size"):
            if options[name] is not None:
                raise ConfigurationError(f"--{name} goes with --data; leave it out.")
        format = options.format or "npz"
        run = None if self.arguments[0].startswith("-") else self.arguments[0]
        folder = options.output
        if folder is None and run is not None:
            folder = os.path.join(run, "predictions")
        writer: Any = built.task.prediction_writer(folder, format, options.save_images)
        if writer is None:
            writer = PredictionWriter(folder, format=format)
        built.trainer.add_callback(writer)

        path = options.ckpt_path
        if run is not None and path in (None, *WORDS):
            path = checkpoint_of_run(run, path)
            print(f"checkpoint: {path}")
        for _ in built.trainer.predict(built.task, ckpt_path=path):
            pass  # the writer takes each batch
        for file in writer.files:
            print(f"written: {file}")

    def _label_new_data(self, options: Namespace) -> None:
        """Write a table of what a run's task finds in other data; its own need not be there."""
        for word in self.arguments:
            if word.startswith(("--trainer.", "--task.")):
                raise ConfigurationError(
                    f"{word.partition('=')[0]}: --data is labeled by the task of the checkpoint, "
                    "as it was trained; leave the option out."
                )
        label_new_data(self._run_folder(options), options)

    def _run_folder(self, options: Namespace) -> str | None:
        """Return the folder of the run that the call names first, or by its file."""
        if not self.arguments[0].startswith("-"):
            return os.path.expanduser(self.arguments[0])
        files = [os.fspath(file) for file in options.config or [] if file is not None]
        return os.path.dirname(files[-1]) or "." if files else None

    def _export(self, built: Namespace, options: Namespace) -> None:
        written = self._load_task(built, options).export(options.output, format=options.format)
        print(f"written: {written}")

    def _verify(self, built: Namespace, options: Namespace) -> int:
        start, ends = checkpoints_between(self.arguments[0], options["from"], options.to)

        def again() -> tuple[Trainer, Task]:
            made = self._parser.instantiate(options)
            return made.trainer, made.task

        verification = verify(built.trainer, built.task, start, ends, again)
        print(verification)
        return 0 if verification.is_exact else FAILED

    def _inspect(self, built: Namespace, options: Namespace) -> None:
        report = built.task.describe(options.max_examples)
        print(report)
        for file in [] if options.output is None else report.save(options.output):
            print(f"written: {file}")

    def _load_task(self, built: Namespace, options: Namespace) -> Task:
        """Return the task as a checkpoint has it, quantized where that is asked for."""
        if options.ckpt_path is None:
            raise ConfigurationError("--quantize needs --ckpt_path: what is trained already.")

        checkpoint = find_checkpoint(built.trainer, built.task, options.ckpt_path)
        if checkpoint is None:
            raise ConfigurationError("--ckpt_path last: there is no checkpoint yet.")

        # What is None here may be known to the checkpoint, such as columns learned from data.
        init_args = options.task.get("init_args")
        arguments = {} if init_args is None else init_args.as_dict()
        arguments = {name: value for name, value in arguments.items() if value is not None}
        task: Task = type(built.task).from_checkpoint(checkpoint.path, **arguments)
        if options.quantize is not None:
            task.quantize(options.quantize)
        return task


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
    is_export = command == "export"
    if command == "verify":
        parser.add_argument("--from", type=str | None)
        parser.add_argument("--to", type=str | None)
    elif command != "inspect":
        kind: Any = str if is_export else str | None
        parser.add_argument("--ckpt_path", type=kind, required=is_export)
    if command == "fit":
        parser.add_argument("--weights_only", type=bool, default=False)
        for name in HELD_OUT:
            parser.add_argument(f"--{name}", type=str | None)
        parser.add_argument("--folds", type=int | None)
        parser.add_argument("--fold_by", type=str | None)
        parser.add_argument("--fold_groups", type=str | None)
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
    if command in ("test", "export"):
        parser.add_argument("--quantize", type=str | None)
    if is_export:
        parser.add_argument("--output", type=str, required=True)
        parser.add_argument("--format", default="saved_model")


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


def _package_error(error: BaseException | None) -> LightningTFError | None:
    """Return this package's error, which jsonargparse wraps in one of its own."""
    while error is not None and not isinstance(error, LightningTFError):
        error = error.__cause__ or error.__context__
    return error


def _show(metrics: dict[str, float], options: Namespace) -> None:
    if options.trainer.enable_progress_bar:  # which has shown them
        return
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        print(f"{name:{width}}  {value:.6g}")
