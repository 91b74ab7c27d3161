"""What a tf.distribute strategy that somebody made must be able to do, and whether it does."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError

ASYNCHRONOUS = (
    "strategy={name} is asynchronous: it computes only inside ClusterCoordinator.schedule, where "
    "every worker updates the variables when it is ready, and TensorFlow gives it no sum over "
    "workers. A step on all of them that equals the step on one device cannot be built on that. "
    "Use strategy='multi_worker' for several machines, or, to keep the variables in host memory on "
    "one machine, tf.distribute.experimental.CentralStorageStrategy()."
)


def is_strategy(given: Any) -> bool:
    """Whether something is a strategy object, of TensorFlow 2 or 1."""
    return isinstance(given, (tf.distribute.Strategy, tf.compat.v1.distribute.Strategy))


def is_default(strategy: tf.distribute.Strategy) -> bool:
    """Whether it is what `tf.distribute.get_strategy` gives where there is none: one device."""
    with strategy.scope():
        return not tf.distribute.has_strategy()


def shares_variables(strategy: tf.distribute.Strategy) -> bool:
    """Whether several replicas have one copy of every variable among them, instead of one each."""
    if strategy.num_replicas_in_sync == 1:
        return False
    with strategy.scope():
        return not isinstance(tf.Variable(0.0), tf.distribute.DistributedValues)


def check_strategy(strategy: Any, accelerator: str, devices: Any) -> None:
    """See that a strategy's replicas train in step, by letting them sum something.

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
    try:
        turns = _turns(strategy)
    except Exception as error:
        raise ConfigurationError(
            f"strategy={name} cannot train: its replicas failed to sum a vector "
            f"({type(error).__name__}: {error}). The Trainer needs run, "
            "experimental_distribute_values_from_function and a sum over the replicas."
        ) from error
    if turns != [1] * strategy.num_replicas_in_sync:
        raise ConfigurationError(
            f"strategy={name} does not train in step: each of its {strategy.num_replicas_in_sync} "
            f"replicas added 1 at its own number, and the sum over them is {turns}. Give a "
            "strategy whose replicas sum over all replicas, such as tf.distribute.MirroredStrategy."
        )


def _turns(strategy: tf.distribute.Strategy) -> list[int]:
    """How often each replica's number came up in one run of all replicas."""
    count = int(strategy.num_replicas_in_sync)

    def on_replica(number: tf.Tensor) -> tf.Tensor:
        own = tf.one_hot(number, count)
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, own)

    def summed() -> tf.Tensor:
        numbers = strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(replica.replica_id_in_sync_group)
        )
        return strategy.experimental_local_results(strategy.run(on_replica, (numbers,)))[0]

    with strategy.scope():
        # As a concrete function: TensorFlow warns of functions that are traced often.
        found = tf.function(summed, autograph=False).get_concrete_function()()
    return [int(number) for number in found.numpy()]
