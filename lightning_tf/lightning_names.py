"""Names of PyTorch Lightning, and of Keras, that a Trainer does not call: what to write instead.

Only what would be passed over without a word is named: a hook that never runs, a method that is
never called, an attribute that nobody reads.
"""

IN_THE_STEP = "it would run inside the compiled step; "
UPDATES = (
    f"{IN_THE_STEP}compute in training_step, or give an optimizer of your own that overrides "
    "apply_gradients"
)
CLIPS = (
    "give Trainer(gradient_clip_val=..., gradient_clip_algorithm=...), or an optimizer of your own "
    "that overrides apply_gradients"
)
STATE = (
    "state_dict and load_state_dict hold plain data and arrays, a callback's variables() variables"
)
MODES = "layers get training=True or False where the step calls them"
TRANSFERS = "map the tf.data.Dataset in the DataModule, or compute in the step"
SCHEDULES = (
    "return {'optimizer': optimizer, 'lr_scheduler': schedule} from configure_optimizers, or give "
    "ReduceLROnPlateau to the Trainer"
)
EPOCH_END = "outputs are means in trainer.callback_metrics, and what Python computes of the "
EPOCH_END += "examples is a HostMetric; {hook} runs there"
DATASET = "the task's data are a DataModule with {method}"


def _begins(name: str) -> str:
    return f"the hook is called {name}"


# Hooks, of a task, a callback or a data module alike.
HOOKS = {
    "on_before_optimizer_step": UPDATES,
    "on_before_backward": UPDATES,
    "on_after_backward": UPDATES,
    "on_before_zero_grad": f"{IN_THE_STEP}gradients are never kept from one batch to the next",
    "on_validation_model_zero_grad": "gradients are never kept from one batch to the next",
    "on_validation_model_eval": MODES,
    "on_validation_model_train": MODES,
    "on_test_model_eval": MODES,
    "on_test_model_train": MODES,
    "on_predict_model_eval": MODES,
    "on_predict_model_train": MODES,
    "on_save_checkpoint": STATE,
    "on_load_checkpoint": STATE,
    "on_hpc_save": STATE,
    "on_hpc_load": STATE,
    "on_before_batch_transfer": TRANSFERS,
    "on_after_batch_transfer": TRANSFERS,
    "on_keyboard_interrupt": _begins("on_exception, and gets the KeyboardInterrupt"),
    "on_epoch_start": _begins("on_train_epoch_start, or on_validation_epoch_start"),
    "on_epoch_end": _begins("on_train_epoch_end, or on_validation_epoch_end"),
    "on_batch_start": _begins("on_train_batch_start"),
    "on_batch_end": _begins("on_train_batch_end"),
    "on_init_start": _begins("setup"),
    "on_init_end": _begins("setup"),
    "on_pretrain_routine_start": _begins("on_fit_start"),
    "on_pretrain_routine_end": _begins("on_fit_start"),
    "on_train_dataloader": _begins("setup"),
    "on_train_begin": _begins("on_train_start"),
    "on_epoch_begin": _begins("on_train_epoch_start"),
    "on_batch_begin": _begins("on_train_batch_start"),
    "on_train_batch_begin": _begins("on_train_batch_start"),
    "on_test_begin": _begins("on_validation_start, or on_test_start"),
    "on_test_batch_begin": _begins("on_validation_batch_start, or on_test_batch_start"),
    "on_predict_begin": _begins("on_predict_start"),
    "on_predict_batch_begin": _begins("on_predict_batch_start"),
}

TASK = {
    "configure_callbacks": "return them from callbacks()",
    "configure_gradient_clipping": CLIPS,
    "clip_gradients": CLIPS,
    "configure_sharded_model": "make models in configure_model",
    "optimizer_step": UPDATES,
    "optimizer_zero_grad": f"{IN_THE_STEP}gradients are never kept from one batch to the next",
    "lr_scheduler_step": SCHEDULES,
    "backward": UPDATES,
    "transfer_batch_to_device": TRANSFERS,
    "training_step_end": "training_step sees the whole replica batch; return the loss from it",
    "validation_step_end": "validation_step sees the whole replica batch; return the loss from it",
    "test_step_end": "test_step sees the whole replica batch; return the loss from it",
    "training_epoch_end": EPOCH_END.format(hook="on_train_epoch_end"),
    "validation_epoch_end": EPOCH_END.format(hook="on_validation_epoch_end"),
    "test_epoch_end": EPOCH_END.format(hook="on_test_epoch_end"),
    "prepare_data": DATASET.format(method="prepare_data()"),
    "train_dataloader": DATASET.format(method="train_dataset(epoch)"),
    "val_dataloader": DATASET.format(method="val_dataset()"),
    "test_dataloader": DATASET.format(method="test_dataset()"),
    "predict_dataloader": DATASET.format(method="predict_dataset()"),
    "configure_losses": "return the loss from training_step",
    "configure_model_parallel": "give Trainer(strategy=...)",
}
# Switches of Lightning, which change nothing unless they have another value than this.
TASK_SWITCHES: dict[str, tuple[bool | None, str]] = {
    "automatic_optimization": (True, "call self.minimize(name, loss_fn) inside training_step"),
    "strict_loading": (True, "a checkpoint must fit the task; Task.from_checkpoint says what not"),
    "truncated_bptt_steps": (None, "cut sequences in the DataModule"),
}

DATA_MODULE = {
    "train_dataloader": "return a batched tf.data.Dataset from train_dataset(epoch)",
    "val_dataloader": "return a batched tf.data.Dataset from val_dataset()",
    "test_dataloader": "return a batched tf.data.Dataset from test_dataset()",
    "predict_dataloader": "return a batched tf.data.Dataset from predict_dataset()",
    "transfer_batch_to_device": TRANSFERS,
}

CALLBACK = {"log_hyperparams": "a Logger gets them in log_hparams(hparams)"}
CALLBACK["log_graph"] = "models are in Task.export; a Logger has log_hparams, log_file and others"

# What Lightning gives, and users call.
GIVEN_TO_TASKS = {
    "save_hyperparameters": "the constructor's arguments become self.hparams by themselves",
    "manual_backward": "call self.minimize(name, loss_fn) inside training_step",
    "toggle_optimizer": "self.minimize(name, loss_fn) moves that optimizer's variables alone",
    "untoggle_optimizer": "self.minimize(name, loss_fn) moves that optimizer's variables alone",
    "lr_schedulers": SCHEDULES,
    "clip_gradients": CLIPS,
    "all_gather": "metrics and logged values are those of all replicas already; examples reach "
    "Python by self.collect and a HostMetric",
    "log_dict": "call self.log(name, value) for each",
    "print": "call print in a hook, where self.trainer.is_global_zero; tf.print in a step",
    "freeze": "set layer.trainable = False, at any time between epochs",
    "unfreeze": "set layer.trainable = True, at any time between epochs",
    "global_step": "self.trainer.global_step",
    "current_epoch": "self.trainer.current_epoch",
    "global_rank": "self.trainer.is_global_zero",
    "local_rank": "self.trainer.is_global_zero",
    "logger": "self.trainer.loggers; self.log and self.trainer.log_images reach all of them",
    "loggers": "self.trainer.loggers; self.log and self.trainer.log_images reach all of them",
    "load_from_checkpoint": "Task.from_checkpoint(path)",
    "to_onnx": "self.export(path, format='onnx')",
    "to_torchscript": "self.export(path)",
    "parameters": "keras models have trainable_variables",
    "named_parameters": "keras models have trainable_variables",
    "device": "the Trainer places variables and steps: Trainer(accelerator=..., devices=...)",
    "dtype": "the Trainer decides: Trainer(precision=...)",
    "to": "the Trainer places variables and steps: Trainer(accelerator=..., devices=...)",
    "eval": MODES,
    "train": MODES,
    "forward": "write a method of your own, and predict_step for Trainer.predict",
}

STOPS = "call trainer.request_stop(reason)"
TRAINER_SETS = {
    "stop_training": STOPS,
    "stop": STOPS,
    "current_epoch": "it counts by itself; ckpt_path= goes on from a checkpoint",
    "global_step": "it counts by itself; ckpt_path= goes on from a checkpoint",
    "datamodule": "the data belong to the task: task.data",
    "train_dataloader": "the data belong to the task: task.data",
    "val_dataloaders": "the data belong to the task: task.data",
    "test_dataloaders": "the data belong to the task: task.data",
    "model": "give the task to fit",
    "logger": "give Trainer(logger=...), and read trainer.loggers",
    "strategy": "give Trainer(strategy=...)",
    "accumulate_grad_batches": "give it to the Trainer, or GradientAccumulationScheduler",
    "optimizers": "return them from configure_optimizers",
    "lr_scheduler_configs": SCHEDULES,
}
TRAINER_READS = {
    "logged_metrics": "trainer.callback_metrics",
    "progress_bar_metrics": "trainer.callback_metrics; prog_bar_metrics has the names",
    "is_last_batch": "compare trainer.batch_idx with trainer.num_training_batches",
    "datamodule": "trainer.task.data",
    "lightning_module": "trainer.task",
    "model": "trainer.task",
    "strategy": "trainer.placement",
    "num_devices": "trainer.placement.num_replicas",
    "world_size": "trainer.placement.num_replicas",
    "global_rank": "trainer.is_global_zero",
    "local_rank": "trainer.is_global_zero",
    "train_dataloader": "trainer.task.data.train_dataset(epoch)",
    "val_dataloaders": "trainer.task.data.val_dataset()",
    "test_dataloaders": "trainer.task.data.test_dataset()",
    "predict_dataloaders": "trainer.task.data.predict_dataset()",
    "lr_scheduler_configs": "the schedule is the optimizer's learning_rate: trainer.optimizers",
    "validating": "trainer.stage == 'validate'",
    "testing": "trainer.stage == 'test'",
    "predicting": "trainer.stage == 'predict'",
    "fit_loop": "trainer.current_epoch, trainer.batch_idx and trainer.global_step",
}

LOG_OPTIONS = {
    "on_step": "rows hold means since the last row, every log_every_n_steps updates",
    "on_epoch": "every value has a mean over the epoch too",
    "logger": "every logger gets it; a Logger of your own can pass names over",
    "sync_dist": "values are means over all replicas and workers already",
    "sync_dist_group": "values are means over all replicas and workers already",
    "reduce_fx": "values are means over examples; a Keras metric or HostMetric reduces in its way",
    "batch_size": "the Trainer knows how many examples a batch has",
    "add_dataloader_idx": "of several data sets the name is always added",
    "enable_graph": "only what training_step returns is differentiated",
    "metric_attribute": "return metrics from configure_metrics",
    "rank_zero_only": "values are those of all workers, and the first one logs",
}
