"""What a user's optimizer overrides of Keras' Optimizer: what a run calls, and what it refuses."""

from collections.abc import Collection
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError

# Methods through which reduced gradients pass: as on one device, each replica calls its own.
APPLYING = {
    "apply_gradients",
    "apply",
    "_backend_apply_gradients",
    "_backend_update_step",
    "_distributed_tf_update_step",
    "_apply_weight_decay",
    "_clip_gradients",
    "_clip_by_norm",
    "_filter_empty_gradients",
    "_overwrite_variables_directly_with_gradients",
    "_update_model_variables_moving_average",
    "_overwrite_model_variables_with_average_value",
}
UPDATING = {"update_step", "learning_rate", "iterations", "assign", "assign_add", "assign_sub"}

IN_APPLY = "override apply_gradients, apply or update_step, which get the reduced gradients"
ACCUMULATES = "the Trainer accumulates gradients: Trainer(accumulate_grad_batches=n)"
SCALES = "the Trainer scales losses: Trainer(precision='mixed_float16')"
REDUCES = f"the Trainer reduces gradients over replicas before it applies them; {IN_APPLY}"
MINIMIZES = (
    "the Trainer computes the gradients of what training_step returns; for several updates in a "
    f"step call Task.minimize, and to change gradients {IN_APPLY}"
)
KERAS_2 = "Keras 3 has update_step(gradient, variable, learning_rate) and build(variables) instead"

# What only other loops, other backends or Keras 2 call.
NOT_CALLED = {
    "minimize": MINIMIZES,
    "compute_gradients": MINIMIZES,
    "_compute_gradients": MINIMIZES,
    "get_gradients": MINIMIZES,
    "get_updates": MINIMIZES,
    "stateless_apply": f"only Keras' JAX trainer calls it; {IN_APPLY}",
    "scale_loss": SCALES,
    "get_scaled_loss": SCALES,
    "get_unscaled_gradients": SCALES,
    "_all_reduce_sum_gradients": REDUCES,
    "aggregate_gradients": REDUCES,
    "_aggregate_gradients": REDUCES,
    "_backend_increment_gradient_accumulators": ACCUMULATES,
    "_backend_reset_gradient_accumulators": ACCUMULATES,
    "_transform_gradients": KERAS_2,
    "_transform_unaggregated_gradients": KERAS_2,
    "_create_slots": KERAS_2,
    "_create_all_weights": KERAS_2,
    "_prepare_local": KERAS_2,
    "_resource_apply_dense": KERAS_2,
    "_resource_apply_sparse": KERAS_2,
    "_resource_apply_sparse_duplicate_indices": KERAS_2,
}


def refuse_bypassed(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse an optimizer that overrides what a run would not call.

    Raises:
        ConfigurationError: Names the class, the method and what to write.
    """
    for each in (optimizer, *inner_optimizers(optimizer)):
        for name in sorted(overridden(each, NOT_CALLED)):
            raise ConfigurationError(
                f"optimizer {type(each).__name__} overrides {name}, which a Trainer does not "
                f"call: {NOT_CALLED[name]}."
            )


def refuse_own_loss_scale(optimizer: keras.optimizers.LossScaleOptimizer) -> None:
    """Refuse a subclass of LossScaleOptimizer with methods of its own, which is taken apart.

    Raises:
        ConfigurationError: Names the class, the method and what to write.
    """
    methods = {n for n in vars(keras.optimizers.LossScaleOptimizer) if not n.startswith("__")}
    for name in sorted(overridden(optimizer, methods | APPLYING | UPDATING | NOT_CALLED.keys())):
        raise ConfigurationError(
            f"optimizer {type(optimizer).__name__} overrides {name} of LossScaleOptimizer, of "
            f"which a Trainer uses the inner optimizer alone: {SCALES}."
        )


def overrides_applying(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether a user's code stands between reduced gradients and their updates."""
    return bool(overridden(optimizer, APPLYING))


def overrides_update(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether any step of an update is a user's own."""
    return bool(overridden(optimizer, APPLYING | UPDATING))


def changes_final_values(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether `finalize_variable_values` does anything: averages weights, or is own code."""
    return any(
        getattr(each, "use_ema", False) or overridden(each, {"finalize_variable_values"})
        for each in (optimizer, *inner_optimizers(optimizer))
    )


def overridden(part: Any, names: Collection[str]) -> set[str]:
    """Return those of some methods that an object has from other code than Keras.

    Args:
        part: An optimizer or a model of Keras, or of a class that derives from one.
        names: Of the methods.
    """
    own = set(vars(part).keys() & names)
    for name in names:
        definer = next((kind for kind in type(part).__mro__ if name in vars(kind)), None)
        if definer is not None and definer.__module__.split(".")[0] != "keras":
            own.add(name)
    return own


def inner_optimizers(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Return the optimizers among which a MultiOptimizer divides the variables."""
    return list(getattr(optimizer, "optimizers", ()))
