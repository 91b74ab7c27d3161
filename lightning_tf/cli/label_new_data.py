"""label_new_data: what `lightning-tf predict RUN --data` does."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_tf.checkpoint.search import WORDS, checkpoint_of_run
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.prediction_table import check_format
from lightning_tf.run.prediction_folder import new_folder
from lightning_tf.storage.location import portable
from lightning_tf.storage.remote_data import local_data
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

WITHOUT_RUN: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def label_new_data(run: str | None, options: Any) -> None:
    """Write a table of what a run's task finds in new data; those of the run need not be there.

    Args:
        run: The run's folder; None where the call names none.
        options: Of the call: task, data, data_options, batch_size, ckpt_path, output, format,
            save_images, heat_maps, explain.

    Raises:
        ConfigurationError: An option is unknown, or nothing says what is trained.
        CheckpointError: There is no checkpoint.
        DataError: The data are missing or broken.
    """
    kind, data = options.format or "csv", Path(local_data(options.data))
    check_format(kind, f"--format {kind}")
    task = _trained_task(run, options)
    settings = dict(options.data_options or {})
    table = _predictions(task, data, options.batch_size or 32, settings)

    output = Path(run or "") / "predictions" if options.output is None else options.output
    target = new_folder(output) / f"predictions.{kind}"
    # What cannot be drawn is refused before anything is written.
    if options.heat_maps is not None:
        table.check_heat_maps(options.heat_maps)
    draws_itself = options.save_images and not table.has_images
    writer: Any = task.prediction_writer(target.parent, "csv", True) if draws_itself else None

    if options.explain:
        task.explain([])  # so is a network whose words cannot be explained

    before = set(target.parent.iterdir())
    written: list[Any] = [table.save(target)]
    if writer is not None:
        Trainer(callbacks=[writer], **WITHOUT_RUN).predict(task, data)
        written += writer.files
    elif options.save_images or options.heat_maps:
        image = target.with_suffix(".png")
        written += table.save_image_grid(image, count=None, heat_maps=options.heat_maps)
    if options.explain:
        examples = task.new_examples(data, **settings)
        written.append(_explain(task, examples, target.with_name("explanations.html")))
    for file in written:
        print(f"{'replaced' if Path(file) in before else 'written'}: {portable(str(file))}")


def _trained_task(run: str | None, options: Any) -> Any:
    """Return the task of the checkpoint, which its first line tells."""
    path = options.ckpt_path
    if path in (None, *WORDS):
        if run is None:
            raise ConfigurationError(
                "--data needs what is trained: give the folder of a run first, or --ckpt_path."
            )
        path = checkpoint_of_run(run, path)
    print(f"checkpoint: {portable(path)}")

    task: Any = _class_of(options.task.class_path).from_checkpoint(path)
    if options.explain and not hasattr(task, "explain"):
        raise ConfigurationError(
            f"--explain true: {type(task).__name__} has no texts whose words it could explain, as "
            "TextClassification has; leave the option out."
        )
    return task


def _predictions(task: Any, data: Path, batch_size: int, settings: dict[str, Any]) -> Any:
    """Return the table of predictions; errors name options as the command line spells them."""
    try:
        return task.predict(data, batch_size=batch_size, **settings)
    except DataError as error:
        known = set(inspect.signature(task.new_examples).parameters) - {"data"}
        named = sorted(name for name in known if f"{name}=" in str(error))
        if not named:
            raise
        example = ", ".join(f'"{name}": ...' for name in named)
        raise DataError(f"{error} Here: --data_options '{{{example}}}'.") from error


def _explain(task: Any, examples: NewExamples, target: Path) -> Path:
    """Write a page of explanations, each named as its row of the table."""
    from lightning_tf.tasks import TextExplanation

    texts = [text.decode() for text in examples.arrays]
    files = examples.names.get("file", [""] * len(texts))
    rows = examples.names.get("row", range(len(texts)))
    names = [f"row {row} {file}".strip() for row, file in zip(rows, files, strict=True)]
    page = TextExplanation.page(task.explain(texts), "What decided", names)
    target.write_text(page, encoding="utf-8")
    return target


def _class_of(path: str) -> type[Task]:
    module, _, name = path.rpartition(".")
    cls: type[Task] = getattr(import_module(module), name)
    return cls
