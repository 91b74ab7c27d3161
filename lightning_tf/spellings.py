"""Arguments as Keras and Lightning spell them, and what to write here instead."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from lightning_tf.exceptions import UnknownArgumentError, nearest

P = ParamSpec("P")
Result = TypeVar("Result")

DATA = "trainer.fit(task, train_data, val_data), or the task's: task.data"
WEIGHTS = (
    "class_weight of a classification task or KerasTask, or KerasTask(data=(x, y, sample_weight))"
)
STEPS = (
    "KerasTask(steps_per_epoch=...), where the next epoch goes on in the data, or "
    "Trainer(limit_train_batches=...), where it begins them anew"
)
INITIAL_EPOCH = (
    "KerasTask(initial_epoch=...), or trainer.fit(task, ckpt_path=...), which goes on where the "
    "checkpoint is"
)
LOADER_SETTINGS = "what a DataModule's datasets decide"

TRAINER = {
    # Keras' fit and compile
    "epochs": "max_epochs",
    "steps_per_epoch": STEPS,
    "validation_steps": "limit_val_batches",
    "validation_freq": "check_val_every_n_epoch",
    "initial_epoch": INITIAL_EPOCH,
    "verbose": "enable_progress_bar",
    "batch_size": f"batch_size of the data ({DATA})",
    "shuffle": LOADER_SETTINGS,
    "x": DATA,
    "y": DATA,
    "data": DATA,
    "validation_data": DATA,
    "validation_split": f"KerasTask(validation_split=...): {DATA}",
    "validation_batch_size": f"KerasTask(validation_batch_size=...): {DATA}",
    "class_weight": WEIGHTS,
    "sample_weight": WEIGHTS,
    "optimizer": "the task's configure_optimizers, or KerasTask(model, optimizer=...)",
    "loss": "what the task's training_step returns, or KerasTask(model, loss=...)",
    "metrics": "the task's configure_metrics, or KerasTask(model, metrics=...)",
    "weighted_metrics": "KerasTask(model, weighted_metrics=...)",
    "loss_weights": "KerasTask(model, loss_weights=...)",
    "auto_scale_loss": "precision, whose mixed_float16 scales the loss",
    "steps_per_execution": "nothing: the Trainer runs as many steps per graph call as it can",
    "distribute": "strategy and devices",
    # Lightning, today's and earlier ones
    "gpus": "accelerator='gpu', devices=n",
    "num_processes": "devices",
    "num_nodes": "TF_CONFIG or SLURM, which tell of all workers",
    "tpu_cores": "accelerator='cpu' or 'gpu': there is no TPU here",
    "resume_from_checkpoint": "trainer.fit(task, ckpt_path=...)",
    "checkpoint_callback": "enable_checkpointing",
    "progress_bar_refresh_rate": "callbacks=[ProgressBar(refresh_seconds=...)]",
    "weights_summary": "enable_model_summary",
    "track_grad_norm": "self.log in training_step",
    "terminate_on_nan": "callbacks=[TerminateOnNaN()]",
    "stochastic_weight_avg": "callbacks=[StochasticWeightAveraging(swa_lrs=...)]",
    "auto_lr_find": "callbacks=[LearningRateFinder()]",
    "auto_scale_batch_size": "callbacks=[BatchSizeFinder()]",
    "auto_select_gpus": "devices",
    "gradient_clip": "gradient_clip_val",
    "clipnorm": "gradient_clip_val",
    "global_clipnorm": "gradient_clip_val",
    "clipvalue": "gradient_clip_val with gradient_clip_algorithm='value'",
    "accumulate_gradient_batches": "accumulate_grad_batches",
    "gradient_accumulation_steps": "accumulate_grad_batches",
    "amp_backend": "precision",
    "amp_level": "precision",
    "mixed_precision": "precision",
    "train_percent_check": "limit_train_batches",
    "val_percent_check": "limit_val_batches",
    "test_percent_check": "limit_test_batches",
    "overfit_pct": "overfit_batches",
    "row_log_interval": "log_every_n_steps",
    "flush_logs_every_n_steps": "CSVLogger(flush_every_n_steps=...)",
    "log_gpu_memory": "callbacks=[DeviceStats()]",
    "weights_save_path": "default_root_dir",
    "sync_batch_norm": "sync_batchnorm",
    "replace_sampler_ddp": "nothing: data are always split exactly",
    "use_distributed_sampler": "nothing: data are always split exactly",
    "reload_dataloaders_every_n_epochs": "train_dataset(epoch), called for every epoch",
    "plugins": "strategy, precision or a callback",
    "benchmark": "nothing: it is a setting of PyTorch",
    "inference_mode": "nothing: no gradients are taken outside training",
    "enable_autolog_hparams": "a Logger of your own that leaves log_hparams out",
    "model_registry": "ckpt_path='wandb:...'",
    "random_seed": "seed",
    "root_dir": "default_root_dir",
    "log_dir": "default_root_dir",
    "max_iters": "max_steps",
    "lr": "the optimizer of the task's configure_optimizers",
}

ENTRY_POINTS = {
    "model": "task",
    "pl_module": "task",
    "epochs": "Trainer(max_epochs=...)",
    "steps_per_epoch": STEPS,
    "validation_freq": "Trainer(check_val_every_n_epoch=...)",
    "validation_batch_size": f"KerasTask(validation_batch_size=...): {DATA}",
    "validation_steps": "Trainer(limit_val_batches=...)",
    "steps": "Trainer(limit_test_batches=...), limit_val_batches or limit_predict_batches",
    "batch_size": f"batch_size of the data ({DATA})",
    "callbacks": "Trainer(callbacks=...)",
    "verbose": "Trainer(enable_progress_bar=...)",
    "initial_epoch": INITIAL_EPOCH,
    "checkpoint": "ckpt_path",
    "checkpoint_path": "ckpt_path",
    "resume_from_checkpoint": "ckpt_path",
    "return_predictions": "collect",
    "return_dict": "nothing: one dict is returned",
    "class_weight": WEIGHTS,
    "sample_weight": WEIGHTS,
    "shuffle": LOADER_SETTINGS,
}
TRAINING_DATA = "train_data, which takes a DataModule, datasets or arrays (x, y)"
FIT = {
    **ENTRY_POINTS,
    **dict.fromkeys(
        ("data", "datamodule", "dataset", "train_dataloader", "train_dataloaders", "x", "y"),
        TRAINING_DATA,
    ),
    **dict.fromkeys(("val_dataloader", "val_dataloaders", "validation_data"), "val_data"),
    "test_data": "trainer.test(task, data)",
    "validation_split": "val_data, or val_fraction of lightning_tf.data.ArrayData",
}
EVALUATION = {
    **ENTRY_POINTS,
    **dict.fromkeys(
        ("datamodule", "dataloaders", "dataset", "x", "y"),
        "data, which takes a DataModule, datasets or arrays (x, y)",
    ),
    **dict.fromkeys(("train_data", "val_data", "test_data", "predict_data"), "data"),
    **dict.fromkeys(("val_dataloaders", "test_dataloaders", "validation_data"), "data"),
}

# What fit, compile, evaluate and predict take and KerasTask does not.
TASKS = {
    "KerasTask": {
        "x": "data=(x, y)",
        "y": "data=(x, y)",
        "sample_weight": "data=(x, y, sample_weight)",
        "epochs": "Trainer(max_epochs=...)",
        "max_epochs": "Trainer(max_epochs=...)",
        "callbacks": "Trainer(callbacks=...)",
        "verbose": "Trainer(enable_progress_bar=...)",
        "validation_steps": "Trainer(limit_val_batches=...)",
        "validation_freq": "Trainer(check_val_every_n_epoch=...)",
        "steps": "Trainer(limit_test_batches=...), limit_val_batches or limit_predict_batches",
        "return_dict": "nothing: one dict is returned",
        "run_eagerly": "Trainer(run_eagerly=True)",
        "jit_compile": "Trainer(jit_compile=...)",
        "auto_scale_loss": "Trainer(precision='mixed_float16')",
        "steps_per_execution": "nothing: the Trainer runs as many steps per graph call as it can",
        "val_split": "validation_split",
        "val_data": "validation_data",
        "label_cols": "label_columns",
    }
}

CALLBACKS = {
    "ModelCheckpoint": {
        "filepath": "dirpath and filename",
        "save_best_only": "monitor and save_top_k=1",
        "save_freq": "every_n_epochs or every_n_train_steps",
        "period": "every_n_epochs",
        "prefix": "filename",
        "every_n_val_epochs": "every_n_epochs",
        "every_n_steps": "every_n_train_steps",
        "initial_value_threshold": "filename with the metric in it",
    },
    "EarlyStopping": {
        "baseline": "stopping_threshold or divergence_threshold",
        "log_rank_zero_only": "nothing: the chief alone prints",
    },
    "ReduceLROnPlateau": {
        "threshold": "min_delta",
        "eps": "min_lr",
        "verbose": "nothing: a change is logged",
    },
    "LearningRateMonitor": {"logging_interval": "Trainer(log_every_n_steps=...)"},
    "ProgressBar": {"refresh_rate": "refresh_seconds", "leave": "nothing: an epoch leaves a line"},
    "BackboneFinetuning": {
        "unfreeze_backbone_at_epoch": "unfreeze_at_epoch",
        "lambda_func": "learning_rate_factor",
        "backbone_initial_ratio_lr": "learning_rate_factor",
        "train_bn": "train_batch_norm",
    },
    "LearningRateFinder": {"num_training": "num_training_steps", "attr_name": "optimizer"},
    "BatchSizeFinder": {"batch_arg_name": "nothing: it is data.batch_size"},
    "EMA": {"momentum": "decay", "update_freq": "every_n_steps"},
    "StochasticWeightAveraging": {
        "avg_fn": "nothing: it is the mean; EMA has another average",
        "device": "nothing: the mean is where the weights are",
        "lr": "swa_lrs",
    },
    "PredictionWriter": {"output_dir": "directory", "write_interval": "interval"},
    "CSVLogger": {
        "save_dir": "root",
        "filename": "root and name",
        "append": "resume",
        "flush_logs_every_n_steps": "flush_every_n_steps",
    },
    "TensorBoardLogger": {
        "save_dir": "root",
        "log_dir": "root",
        "log_graph": "graph",
        "histogram_freq": "histograms_every_n_steps",
        "write_graph": "graph",
    },
}


def refuse_unknown(
    what: str,
    call: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    elsewhere: Mapping[str, str],
) -> None:
    """Refuse arguments that a function does not have, with what to write instead.

    Args:
        what: The function's name, for the message.
        call: A method; its first argument is self.
        args: Those without names, self left out.
        kwargs: Those with names.
        elsewhere: Names of Keras and Lightning, each with what to write here.

    Raises:
        UnknownArgumentError: There is one. Missing ones are left to Python.
    """
    parameters = list(inspect.signature(call).parameters.values())[1:]
    kinds = {parameter.kind for parameter in parameters}
    names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]

    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in kwargs:
            if name not in names:
                known = elsewhere.get(name)
                hint = nearest(name, names) if known is None else f" Instead: {known}."
                raise UnknownArgumentError(f"{what} has no argument {name!r}.{hint}")

    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if inspect.Parameter.VAR_POSITIONAL not in kinds and len(args) > len(positional):
        takes = f"takes {', '.join(positional)}" if positional else "takes none: name them"
        hint = f" Instead: {elsewhere['x']}." if "datamodule" in elsewhere else ""
        raise UnknownArgumentError(
            f"{what} got {len(args)} arguments without names and {takes}.{hint}"
        )


def explains_arguments(
    what: str, elsewhere: Mapping[str, str]
) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Have a method refuse unknown arguments by name; see `refuse_unknown`.

    Example:
        >>> class Oven:
        ...     @explains_arguments("bake", {"celsius": "degrees"})
        ...     def bake(self, degrees): ...
        >>> Oven().bake(celsius=200)
        Traceback (most recent call last):
        lightning_tf.exceptions.UnknownArgumentError: bake has no argument 'celsius'. Instead: ...
    """

    def decorate(method: Callable[P, Result]) -> Callable[P, Result]:
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> Result:
            refuse_unknown(what, method, args[1:], kwargs, elsewhere)
            return method(*args, **kwargs)

        return call

    return decorate
