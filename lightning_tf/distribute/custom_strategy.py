"""Checks of a tf.distribute strategy that a user made: whether its replicas train in step."""

from typing import Any

import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.exceptions import ConfigurationError

ASYNCHRONOUS = (
    "strategy={name} is asynchronous: it computes only inside ClusterCoordinator.schedule, where "
    "every worker updates the variables when it is ready, and TensorFlow gives it no sum over "
    "workers. A step on all of them that equals the step on one device cannot be built on that. "
    "Use strategy='multi_worker' for several machines, or, to keep the variables in host memory on "
    "one machine, tf.distribute.experimental.CentralStorageStrategy()."
)


def is_strategy(value: Any) -> bool:
    """Return whether a value is a strategy object, of TensorFlow 2 or 1."""
    return isinstance(value, (tf.distribute.Strategy, tf.compat.v1.distribute.Strategy))


def is_default(strategy: tf.distribute.Strategy) -> bool:
    """Return whether it is what `tf.distribute.get_strategy` gives where there is none."""
    with strategy.scope():
        return not tf.distribute.has_strategy()


def shares_variables(strategy: tf.distribute.Strategy) -> bool:
    """Return whether several replicas have one copy of every variable, instead of one each."""
    if strategy.num_replicas_in_sync == 1:
        return False
    with strategy.scope():
        return not isinstance(tf.Variable(0.0), tf.distribute.DistributedValues)


def check_strategy(strategy: Any, accelerator: str, devices: Any) -> None:
    """Check that a strategy's replicas train in step, by letting them sum something.

    Any strategy will do whose `run` calls a function once for each of `num_replicas_in_sync`
    replicas, numbered from 0, and whose replicas can sum over all of them.

    Args:
        strategy: The strategy.
        accelerator: As the Trainer got it.
        devices: The same.

    Raises:
        ConfigurationError: It brings devices and others are asked for too, it is of TensorFlow 1,
            or its replicas do not train in step.
    """
    name = type(strategy).__name__
    if not isinstance(strategy, tf.distribute.Strategy):
        raise ConfigurationError(
            f"strategy={name} is one of tf.compat.v1, which TensorFlow 1's sessions run; give the "
            "strategy of the same name in tf.distribute."
        )

    if accelerator != "auto" or devices != "auto":
        raise ConfigurationError(
            f"strategy={name} brings its own devices; leave out accelerator={accelerator!r} and "
            f"devices={devices!r}."
        )

    if isinstance(strategy, tf.distribute.experimental.ParameterServerStrategy):
        raise ConfigurationError(ASYNCHRONOUS.format(name=name))
    if is_default(strategy):
        return

    # By what it does, not by its class: strategies of other packages are as good.
    try:
        runs = _count_runs(strategy)
    except Exception as error:
        raise ConfigurationError(
            f"strategy={name} cannot train: its replicas failed to sum a vector "
            f"({type(error).__name__}: {error}). The Trainer needs run, "
            "experimental_distribute_values_from_function and a sum over the replicas."
        ) from error

    if runs != [1] * strategy.num_replicas_in_sync:
        raise ConfigurationError(
            f"strategy={name} does not train in step: each of its {strategy.num_replicas_in_sync} "
            f"replicas added 1 at its own number, and the sum over them is {runs}. Give a "
            "strategy whose replicas sum over all replicas, such as tf.distribute.MirroredStrategy."
        )


def _count_runs(strategy: tf.distribute.Strategy) -> list[int]:
    """Count how often each replica's number comes up in one run of all replicas."""
    count = int(strategy.num_replicas_in_sync)

    def on_replica(number: tf.Tensor) -> tf.Tensor:
        return all_reduce(tf.one_hot(number, count))  # (replicas,)

    def run() -> tf.Tensor:
        numbers = strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(replica.replica_id_in_sync_group)
        )
        return strategy.experimental_local_results(strategy.run(on_replica, (numbers,)))[0]

    with strategy.scope():
        # As a concrete function: TensorFlow warns of functions that are traced often.
        runs = tf.function(run, autograph=False).get_concrete_function()()
    return [int(number) for number in runs.numpy()]
