"""GraphRewrites: how much TensorFlow rewrites a graph before its first call."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context  # options of one call have no public name

# Operations of a step. Up to here these passes made steps as fast as all of them (dense layers of
# 64 and of 1024 units, an embedding with a convolution, LeNet); an MLP of 421 took 2 % longer, an
# unrolled LSTM 12 %.
SMALL = 300
PASSES = ("dependency", "loop")  # control edges; what a loop repeats
# Joins a convolution with its bias and activation, 1 to 2 % of a step; looking costs 6 ms or more.
JOINING = "remap"


class GraphRewrites:
    """A ``with`` block whose graph calls are rewritten as much as their size is worth.

    Grappler makes a dozen passes over a graph, twice, before its first call: 33 of 51 ms of a tiny
    MLP's. On a small graph a few of them, once, leave steps as fast. Others keep what they have:
    larger graphs, those of machines with a GPU, where the layout of pictures is one of the passes,
    and programs that have chosen with ``tf.config.optimizer``.

    A call is rewritten with the options of its first time, under which it has to stay: every call
    goes inside the block.

    Args:
        operations: The type of each operation of a step.

    Example:
        >>> with GraphRewrites(["MatMul", "BiasAdd"]):
        ...     int(tf.function(lambda x: x + 1)(tf.constant(1)))
        2
    """

    def __init__(self, operations: Sequence[str]) -> None:
        self._options = None
        config = ConfigProto.FromString(_call_options().config_proto_serialized)
        chosen = config.HasField("graph_options")
        if len(operations) <= SMALL and not chosen and not tf.config.list_logical_devices("GPU"):
            rewrites = config.graph_options.rewrite_options
            convolves = any("Conv" in operation for operation in operations)
            rewrites.optimizers.extend([*PASSES, JOINING] if convolves else PASSES)
            rewrites.meta_optimizer_iterations = RewriterConfig.ONE
            self._options = context.FunctionCallOptions(config_proto=config)
        self._outside = None

    def __enter__(self) -> None:
        """Take the options for this thread's calls."""
        if self._options is not None:
            self._outside = _call_options()
            context.context().function_call_options = self._options

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put back what there was."""
        if self._options is not None:
            context.context().function_call_options = self._outside


def _call_options() -> context.FunctionCallOptions:
    context.context().ensure_initialized()
    return context.context().function_call_options
