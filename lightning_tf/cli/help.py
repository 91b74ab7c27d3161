"""Help of the `lightning-tf` command, within a second: nothing heavy is imported."""

import textwrap
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from lightning_tf.cli.class_source import ClassSource, Parameter, find_exports
from lightning_tf.exceptions import ConfigurationError, nearest

PACKAGE = Path(__file__).parents[1]
WIDTH, INDENT = 100, 28

COMMANDS = {
    "fit": "train a task",
    "tune": "train a task again and again with other values of options, and tell the best",
    "validate": "evaluate a task on its validation data",
    "test": "evaluate a task on its test data",
    "predict": "write a task's predictions to files",
    "export": "write a trained model in a form that others can load",
    "verify": "train a run again between its checkpoints and compare every bit",
    "inspect": "tell what a task's data are and how they are understood, before any training",
}
OPTIONS = {
    "--task NAME": "one of `lightning-tf tasks`, or the import path or file of a Task of your own: "
    "my_project.MyTask, my_task.py:MyTask",
    "--ARGUMENT VALUE": "an argument of the Trainer, below, or of the task, such as --data; --task "
    "NAME --help lists them. In full --trainer.ARGUMENT and --task.ARGUMENT",
    "--callbacks NAME": "a callback, with its arguments after it: --callbacks EarlyStopping "
    "--monitor val_loss; again for another one",
    "--logger NAME": "a logger, with its arguments after it",
    "--config FILE": "a YAML file with trainer: and task:, such as the config.yaml that fit writes "
    "into the folder of a run; options after it replace what it says",
    "--print_config": "print such a file and end",
}
VERIFY = {
    "--from PATH": "the checkpoint to begin with; the oldest of RUN, or its beginning where it has "
    "one alone",
    "--to PATH": "the last one to compare with; the newest of RUN",
}
CHECKPOINT = {
    "--ckpt_path PATH": "a checkpoint's folder, last, or best; of RUN the best or last where it is "
    "left out"
}
MORE_OPTIONS = {
    "fit": {
        "--weights_only true": "begin a new run with the weights of --ckpt_path, which fit goes on "
        "from otherwise",
        "--val_data PATH": "a folder or table to validate on, beside that of --data",
        "--test_data PATH": "the same to test on",
        "--folds N": "cross-validate: train once for each of N folds of the training examples",
        "--fold_by NAME": "classes, groups or time; chosen by the data where it is left out",
        "--fold_groups COLUMN": "of a table: rows of one value stay in one fold",
    },
    "tune": {
        "--search.OPTION RANGE": "what to try of an option of fit: '0.0001..0.1 log', 1..6, "
        "'0.0..0.5 3 points', or choices: mlp,convnet; bounds without a point draw integers. Also "
        "search: in a YAML file",
        "--method NAME": "grid (all combinations, of ranges their points), random, tpe (the "
        "default: draws where earlier trials were good) or hyperband (ends trials early that fall "
        "behind)",
        "--trials N": "how many in this call; all of a grid where it is left out",
        "--monitor NAME": "the metric that tells which is better, such as val_accuracy",
        "--mode MODE": "max or min; of a loss min where it is left out",
        "--storage URL": "such as sqlite:///study.db: another call, or another process at the same "
        "time, goes on with the search, where the draws are no longer those of --seed",
        "--output FOLDER": "where trials.csv, parallel_coordinates.png, best.yaml and the runs go; "
        "tune_0, tune_1, ... where it is left out",
        "--val_data PATH": "a folder or table to validate on, beside that of --data",
        "--test_data PATH": "the same, kept for a test",
    },
    "predict": {
        "--data PATH": "new data to label: a folder, a table or a file; the test data of the task "
        "where it is left out",
        "--data_options DICT": 'how to read them, such as \'{"sep": ";"}\'; those of the task\'s '
        "new_examples",
        "--batch_size N": "of --data: the most examples that are computed at once, 32",
        "--output FOLDER": "where the files go; predictions in the run's folder",
        "--format FORMAT": "of --data csv, jsonl, parquet or npz; else npz or csv, of detections "
        "also coco or json",
        "--save_images true": "of --data grids of images with their labels; else images with the "
        "boxes drawn in, of detections",
        "--heat_maps METHOD": "of --data such grids with where each class was seen: grad_cam of "
        "TransferLearning, occlusion of any network",
        "--explain true": "of --data that is texts, a page of HTML with the words that decided",
    },
    "test": {"--quantize MODE": "int8 weights where Keras has them; needs --ckpt_path"},
    "export": {
        "--output PATH": "what to write",
        "--format FORMAT": "saved_model, keras, safetensors, onnx or litert",
        "--quantize MODE": "int8 weights where Keras has them",
    },
    "inspect": {
        "--output FOLDER": "where report.txt and examples.png go; nothing is written without it",
        "--max_examples N": "examples of each split to look at, 100000",
    },
}


def command_help(command: str, task: str | None = None) -> str:
    """Return the help text of a command that runs a Trainer.

    Args:
        command: One of `COMMANDS`.
        task: Whose arguments to list, instead of the Trainer's.

    Raises:
        ConfigurationError: There is no such task.
    """
    if task is not None:
        return _task_help(command, task)

    what = usage_of(command)
    lines = [f"usage: lightning-tf {command} {what} [options]", ""]
    lines += [f"{COMMANDS[command].capitalize()}.", ""]
    checkpoint = {"inspect": {}, "tune": {}, "verify": VERIFY}.get(command, CHECKPOINT)
    for name, text in {**OPTIONS, **checkpoint, **MORE_OPTIONS.get(command, {})}.items():
        lines += _entry(name, text)

    lines += ["", "The Trainer's arguments:", ""]
    for parameter in ClassSource(PACKAGE / "trainer.py", "Trainer").parameters:
        lines += _option(f"--trainer.{parameter.name}", parameter)
    return "\n".join(lines)


def usage_of(command: str) -> str:
    """Return what a command takes first."""
    if command == "verify":
        return "RUN"
    return "--task NAME" if command in ("fit", "inspect", "tune") else "RUN|--task NAME"


def task_list() -> str:
    """Return every task of the package, with one line each."""
    lines: list[str] = []
    for name, file in sorted(find_exports(PACKAGE / "tasks").items()):
        lines += _entry(name, ClassSource(file, name).summary)
    return "\n".join(lines)


def _task_help(command: str, task: str) -> str:
    lines = [f"usage: lightning-tf {command} --task {task} [--task.ARGUMENT VALUE ...]", ""]
    cls, *bases = _sources(task)
    lines += [*textwrap.wrap(cls.summary, WIDTH), ""]

    # Bases come first, so that the class's own word on a parameter is the last.
    parameters = {p.name: p for s in (*reversed(bases), cls) for p in s.parameters}
    for name, parameter in parameters.items():
        lines += _option(f"--task.{name}", parameter)
    return "\n".join(lines)


def _sources(task: str) -> Iterator[ClassSource]:
    """Yield a class, and those that it passes options on to."""
    files = find_exports(PACKAGE / "tasks")
    name = task.removeprefix("lightning_tf.tasks.")
    while name in files:
        source = ClassSource(files[name], name)
        yield source
        if not source.passes_on:
            return
        name = next((base for base in source.bases if base in files), "")
    if name:
        yield _user_source(name, files)


def _user_source(task: str, known: Sequence[str] | dict[str, Path]) -> ClassSource:
    module, _, name = task.rpartition(".")
    try:
        spec = find_spec(module) if module else None
        if spec is not None and spec.origin is not None:
            return ClassSource(Path(spec.origin), name)
    except (ImportError, LookupError, ValueError):
        pass
    raise ConfigurationError(
        f"--task {task}: there is no such task, nor a class of that import path."
        f"{nearest(task, known)}"
    )


def _option(name: str, parameter: Parameter) -> list[str]:
    default = "" if parameter.default is None else f" (default: {parameter.default})"
    return _entry(name, f"{parameter.description}{default}")


def _entry(name: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text.replace("``", ""), WIDTH - INDENT) or [""]
    begin = f"  {name}"
    if len(begin) < INDENT - 1:
        first, *rest = wrapped
        return [f"{begin:{INDENT}}{first}", *(" " * INDENT + line for line in rest)]
    return [begin, *(" " * INDENT + line for line in wrapped)]
