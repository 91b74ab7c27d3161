"""RunCommand: what to do with the Trainer and the Task of a command line."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from lightning_tf.callbacks import PredictionWriter
from lightning_tf.callbacks.config_writer import NAME, ConfigWriter
from lightning_tf.checkpoint.search import WORDS, checkpoint_of_run
from lightning_tf.cli.label_new_data import label_new_data
from lightning_tf.cli.option_parser import OptionParser
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.exceptions import (
    TRY_AGAIN,
    ConfigurationError,
    LightningTFError,
    WorkerLostError,
)
from lightning_tf.run.cross_validate import cross_validate
from lightning_tf.run.session import find_checkpoint
from lightning_tf.run.verified_checkpoints import checkpoints_between
from lightning_tf.run.verify import verify
from lightning_tf.storage.location import portable
from lightning_tf.storage.remote_files import local_run
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

WRONG_USE, FAILED = 2, 1  # exit codes
OF_VERIFYING = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")
REMEDIES = {
    "verify": "For a run of a script call Trainer(...).verify(task, start, end) with the arguments "
    "of that script.",
    "predict": "For a run of a script call the task's from_checkpoint(path).predict(data), or give "
    "--task NAME and --ckpt_path PATH.",
}
OF_RUNS = ("validate", "test", "predict", "export", "verify")  # take the folder of a run first


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
        self._parser = OptionParser(command)
        self._run = _run_of(command, self.arguments)

    def run(self) -> int:
        """Do it; errors of this package become one line.

        Returns:
            The exit code: 0, 2 where the options are wrong, 1 where something failed, `TRY_AGAIN`
            where another worker is gone.
        """
        try:
            options = self._parser.parse(self._given())
            if options.get("data") is not None:
                self._label_new_data(options)
                return 0
            built = self._parser.instantiate(options)
            return getattr(self, f"_{self.command}")(built, options) or 0
        except Exception as error:
            return exit_code_of(error, self.command)

    def _given(self) -> list[str]:
        """Return the options, those of a run's file before those of the call."""
        if self._run is None:
            if self.command == "verify":
                raise ConfigurationError("give the folder of a run first, such as runs/version_0.")
            return self.arguments

        self._run = local_run(self._run)
        config = Path(self._run) / NAME
        if not os.path.isdir(self._run):
            raise ConfigurationError(f"{self._run} is no folder; give that of a run.")
        if not config.is_file():
            remedy = REMEDIES.get(self.command, "For a run of a script use Python, or give --task.")
            raise ConfigurationError(
                f"{self._run} has no {NAME}, which lightning-tf fit writes. {remedy}"
            )
        of_command = OF_VERIFYING if self.command == "verify" else ()
        return ["--config", str(config), *of_command, *self.arguments[1:]]

    def _checkpoint(self, options: Namespace) -> str | None:
        """Return --ckpt_path; of a run that the call names, a checkpoint in its folder."""
        path: str | None = options.ckpt_path
        if self._run is not None and path in (None, *WORDS):
            path = checkpoint_of_run(self._run, path)
            print(f"checkpoint: {portable(path)}")
        return path

    # ---- the commands

    def _fit(self, built: Namespace, options: Namespace) -> None:
        if options.folds is not None:
            self._cross_validate(built, options)
            return
        trainer: Trainer = built.trainer

        trainer.add_callback(ConfigWriter(self._parser.config(options)))
        trainer.fit(built.task, ckpt_path=options.ckpt_path, weights_only=options.weights_only)
        _show(trainer.callback_metrics, options)
        if trainer.is_global_zero:
            print(f"written: {portable(trainer.log_dir or trainer.default_root_dir)}")

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
        path = self._checkpoint(options)
        _show(built.trainer.validate(built.task, ckpt_path=path), options)

    def _test(self, built: Namespace, options: Namespace) -> None:
        if options.quantize is None:
            values = built.trainer.test(built.task, ckpt_path=self._checkpoint(options))
        else:
            values = built.trainer.test(self._load_task(built, options))
        _show(values, options)

    def _predict(self, built: Namespace, options: Namespace) -> None:
        for name in ("data_options", "batch_size", "heat_maps", "explain"):
            if options[name] not in (None, False):
                raise ConfigurationError(f"--{name} goes with --data; leave it out.")
        format = options.format or "npz"
        folder = options.output
        if folder is None and self._run is not None:
            folder = os.path.join(self._run, "predictions")
        writer: Any = built.task.prediction_writer(folder, format, options.save_images)
        if writer is None:
            writer = PredictionWriter(folder, format=format)
        built.trainer.add_callback(writer)

        for _ in built.trainer.predict(built.task, ckpt_path=self._checkpoint(options)):
            pass  # the writer takes each batch
        for file in writer.files:
            print(f"written: {portable(str(file))}")

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
        if self._run is not None:
            return self._run
        files = [os.fspath(file) for file in options.config or [] if file is not None]
        return os.path.dirname(files[-1]) or "." if files else None

    def _export(self, built: Namespace, options: Namespace) -> None:
        written = self._load_task(built, options).export(options.output, format=options.format)
        print(f"written: {portable(str(written))}")

    def _verify(self, built: Namespace, options: Namespace) -> int:
        start, ends = checkpoints_between(str(self._run), options["from"], options.to)

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
            print(f"written: {portable(str(file))}")

    def _load_task(self, built: Namespace, options: Namespace) -> Task:
        """Return the task as a checkpoint has it, quantized where that is asked for."""
        path = self._checkpoint(options)
        if path is None:
            raise ConfigurationError(
                f"{self.command} needs the folder of a run first, or --ckpt_path: what is trained "
                "already."
            )

        checkpoint = find_checkpoint(built.trainer, built.task, path)
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


def _run_of(command: str, arguments: Sequence[str]) -> str | None:
    """Return the folder of the run that a call names first; None where it names none."""
    is_named = command in OF_RUNS and arguments and not arguments[0].startswith("-")
    return arguments[0] if is_named else None


def package_error(error: BaseException | None) -> LightningTFError | None:
    """Return this package's error, which jsonargparse wraps in one of its own."""
    while error is not None and not isinstance(error, LightningTFError):
        error = error.__cause__ or error.__context__
    return error


def exit_code_of(error: Exception, command: str) -> int:
    """Return the exit code of a command that ended with an error, told in one line.

    Raises:
        Exception: The error, where it is not of this package.
    """
    reason = package_error(error)
    if reason is None:
        raise error
    print(f"lightning-tf {command}: {reason}", file=sys.stderr)
    if isinstance(reason, WorkerLostError):
        return TRY_AGAIN
    return WRONG_USE if isinstance(reason, ConfigurationError) else FAILED


def _show(metrics: dict[str, float], options: Namespace) -> None:
    if options.trainer.enable_progress_bar:  # which has shown them
        return
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        print(f"{name:{width}}  {value:.6g}")
