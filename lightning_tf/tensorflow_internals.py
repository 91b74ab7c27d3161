"""What this package uses of TensorFlow that TensorFlow does not promise to keep.

Each function says what breaks without it. All were checked with TensorFlow 2.21.0; raising the cap
in pyproject.toml is the review of this file, and tests/test_tensorflow_internals.py fails where
TensorFlow has changed. Keras' are in keras_internals.py.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.framework.auto_control_deps_utils import (
    get_read_only_resource_input_indices_graph,
)
from tensorflow.python.framework.config import (
    is_op_determinism_enabled as is_op_determinism_enabled,  # fused batch normalization is not
)

GRADIENT_ATTRIBUTE = "_gradient_op_type"

# ---- graphs


def custom_gradient_names(graph: tf.Graph) -> list[str]:
    """Return the names under which a graph's custom gradients stand in TensorFlow's table."""
    operations = graph.get_operations()
    names = [
        op.get_attr(GRADIENT_ATTRIBUTE)
        for op in operations
        if GRADIENT_ATTRIBUTE in op.node_def.attr
    ]
    return [name.decode() for name in names]


def forget_custom_gradients(names: Iterable[str]) -> None:
    """Take custom gradients out of TensorFlow's table, which holds them, and their graph, for ever.

    Each fit of a small conv net would leave 7 MB behind.
    """
    for name in names:
        ops.gradient_registry._registry.pop(name, None)


def variables_of(graph: Any) -> list[tuple[Any, bool]]:
    """Return the variables that a function's graph uses, and whether it may assign each.

    In the order of their first use; the public list of a graph's variables has none. Checkpoints
    name by it what nothing else names, and the sanity check puts back what validation assigns.
    """
    read_only = get_read_only_resource_input_indices_graph(graph)
    constants = {id(graph.inputs[index]) for index in read_only}
    copies = (
        v.values if isinstance(v, tf.distribute.DistributedValues) else (v,)
        for v in graph.variables
    )
    variables = {id(copy.handle): copy for each in copies for copy in each}
    return [
        (variables[id(outside)], id(inside) not in constants)
        for outside, inside in graph.captures
        if id(outside) in variables
    ]


def operation_types(graph: Any) -> set[str]:
    """Return the types of the operations in a function's graph and in the functions it calls.

    The public list stops at the branches of a condition and the body of a loop.
    """
    inner = (function.definition.node_def for function in graph._functions.values())
    return {op.type for op in graph.get_operations()} | {n.op for nodes in inner for n in nodes}


def get_call_options() -> context.FunctionCallOptions:
    """Return the options with which this thread calls graphs now."""
    context.context().ensure_initialized()
    return context.context().function_call_options


def set_call_options(options: context.FunctionCallOptions) -> None:
    """Let this thread call graphs with these options; the public ones are the whole process'."""
    context.context().function_call_options = options


def make_call_options() -> context.FunctionCallOptions | None:
    """Make call options without Grappler's passes that serve GPUs only.

    Returns:
        None where the program has chosen options with ``tf.config.optimizer``.
    """
    config = ConfigProto.FromString(get_call_options().config_proto_serialized)
    if config.HasField("graph_options"):
        return None
    rewrites = config.graph_options.rewrite_options
    rewrites.layout_optimizer = RewriterConfig.OFF
    rewrites.memory_optimization = RewriterConfig.NO_MEM_OPT
    rewrites.disable_tfg_optimizer = True
    return context.FunctionCallOptions(config_proto=config)


# ---- pipelines


def shuffles_of(dataset: Any) -> list[Any]:
    """Return the shuffles in a pipeline: an unseeded one cannot be repeated by a resumed run."""
    shuffles = [dataset] if type(dataset).__name__ == "_ShuffleDataset" else []
    return shuffles + [shuffle for part in dataset._inputs() for shuffle in shuffles_of(part)]


def pipeline_operation_types(dataset: Any) -> set[str]:
    """Return the types of the operations in a pipeline's functions.

    They tell what calls Python, a generator for one, whose position nobody can save.
    """
    function = getattr(dataset, "_map_func", None)
    types = set() if function is None else operation_types(function.function.graph)
    return types.union(*(pipeline_operation_types(part) for part in dataset._inputs()))


def repeats_for_ever(dataset: Any) -> bool:
    """Return whether a pipeline has no end, also where a step such as a filter hides that.

    What `take_while` or a function makes of it is not known, and counts as an end.
    """
    cardinality = int(dataset.cardinality())
    if cardinality != tf.data.UNKNOWN_CARDINALITY:
        return bool(cardinality == tf.data.INFINITE_CARDINALITY)
    if type(dataset).__name__ in ("_TakeDataset", "_TakeWhileDataset"):
        return False
    inputs = [repeats_for_ever(part) for part in dataset._inputs()]
    return all(inputs) and bool(inputs)


def pipeline_tensors(dataset: Any) -> Iterator[tuple[str, tf.Tensor]]:
    """Give what decides which examples a pipeline yields and in which order, each with its place.

    These are sizes, counts and seeds of its steps, the tensors that it slices, and those that its
    functions hold. How far it reads ahead and how many threads it has are left out.
    """
    for name, value in vars(dataset).items():
        if type(dataset).__name__ != "_PrefetchDataset" and name != "_num_parallel_calls":
            for tensor in value if isinstance(value, list) else [value]:
                # A variant is the dataset itself.
                if isinstance(tensor, tf.Tensor) and tensor.dtype != tf.variant:
                    yield f"{type(dataset).__name__}.{name}", tensor

    function = getattr(dataset, "_map_func", None)
    for tensor in [] if function is None else function.function.captured_inputs:
        yield "function", tensor
    for part in dataset._inputs():
        yield from pipeline_tensors(part)


def shuffle_seeds(shuffle: Any) -> tuple[int, int]:
    """Return the two seeds of a shuffle."""
    return int(shuffle._seed), int(shuffle._seed2)


def reshuffles(shuffle: Any) -> bool:
    """Return whether a shuffle takes another order each time that it is read."""
    return bool(shuffle._reshuffle_each_iteration)


# ---- SavedModels


def import_tensorflow_hub() -> Any:
    """Import tensorflow_hub, which asks pkg_resources to compare TensorFlow's version with 1.15.

    setuptools has no pkg_resources from 82 on. Without the stand-in, which is there for this import
    alone, everybody who installs this package would have to keep an older setuptools.
    """
    try:
        import tensorflow_hub
    except ModuleNotFoundError as error:
        if error.name != "pkg_resources":
            raise
        with _pkg_resources_stand_in():
            import tensorflow_hub
    return tensorflow_hub


@contextmanager
def _pkg_resources_stand_in() -> Iterator[None]:
    from packaging.version import parse  # TensorFlow requires packaging

    module = ModuleType("pkg_resources")
    vars(module)["parse_version"] = parse
    sys.modules["pkg_resources"] = module
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]


def hub_folder_name(url: str) -> str:
    """Return the name of the folder in tensorflow_hub's cache that holds a SavedModel.

    Asking for the model itself hangs where there is no network.
    """
    import_tensorflow_hub()
    from tensorflow_hub import compressed_module_resolver

    return Path(compressed_module_resolver._module_dir(url)).name


def tracked_children(node: Any) -> list[Any]:
    """Return the objects that an object of a SavedModel holds; TensorFlow has no public list."""
    children = getattr(node, "_trackable_children", None)
    return list(children().values()) if children else []


# ---- strategies


def make_mirrored_strategy(devices: list[str], key: int) -> tf.distribute.Strategy:
    """Make a MirroredStrategy whose groups of devices are numbered from a key of its own.

    TensorFlow numbers them from the same key for every strategy, and refuses a second group of
    another size: one process could not train on 2 GPUs and then on 4.
    """
    kind = type("Mirrored", (tf.distribute.MirroredStrategy,), {"_collective_key_base": key})
    return kind(devices)


def is_multi_worker(strategy: Any) -> bool:
    """Return whether several processes train under a strategy; a resolver alone does not tell."""
    return strategy.cluster_resolver is not None and strategy.extended._in_multi_worker_mode()


def has_started() -> bool:
    """Return whether TensorFlow has run anything: then it cannot join workers any more."""
    return context.context()._context_handle is not None


@contextmanager
def merged_replicas() -> Iterator[None]:
    """Let Keras' optimizers update from outside the replicas, inside the block.

    They enter `merge_call` by themselves, which is an error where the replicas are merged already;
    inside the replicas each would clip and update by itself.
    """
    interim = tf.__internal__.distribute.interim
    enter = interim.maybe_merge_call
    interim.maybe_merge_call = lambda act, strategy, *args, **kwargs: act(strategy, *args, **kwargs)
    try:
        yield
    finally:
        interim.maybe_merge_call = enter


def make_multi_worker_strategy(
    cluster_resolver: Any, workers: int, devices: Sequence[str], **timeouts_in_ms: int
) -> tf.distribute.Strategy:
    """Join the workers of a cluster, each with these devices; return once every one is there.

    The public MultiWorkerMirroredStrategy takes all GPUs of a worker, or one CPU, and calls a
    worker lost only after minutes.

    Args:
        cluster_resolver: Of all workers.
        workers: How many there are.
        devices: Of this worker, such as ``/GPU:0``.
        timeouts_in_ms: As `configure_coordination_service` names them.
    """
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.distribute.collective_all_reduce_strategy import (
        CollectiveAllReduceExtended,
    )

    class Extended(CollectiveAllReduceExtended):  # type: ignore[misc]
        def _initialize_local_devices(
            self, cluster_resolver: object, worker_device: str
        ) -> tuple[tuple[str, ...], str]:
            kind = "GPU" if "GPU" in devices[0] else "CPU"
            numbers = [name.rsplit(":", 1)[-1] for name in devices]
            return tuple(f"{worker_device}/device:{kind}:{number}" for number in numbers), kind

    job = coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=workers)
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        coordinated_jobs=[job],
        **timeouts_in_ms,
    )
    kind = tf.distribute.MultiWorkerMirroredStrategy
    strategy = kind.__new__(kind)
    options = tf.distribute.experimental.CommunicationOptions()
    extended = Extended(strategy, cluster_resolver=cluster_resolver, communication_options=options)
    tf.distribute.Strategy.__init__(strategy, extended)
    return strategy


# ---- what workers tell each other beside collectives, by TensorFlow's coordination service


def publish(key: str, value: str) -> None:
    """Give a text to all workers, under a key that was never used; the public API has no way."""
    context.context().set_config_key_value(key, value)


def read_published(key: str, timeout: float) -> str | None:
    """Wait for the text under a key.

    Args:
        key: That another worker publishes.
        timeout: In seconds.

    Returns:
        None where it did not come, or the chief, which keeps it, is gone.
    """
    try:
        # 0 would wait for ever.
        return str(context.context().get_config_key_value(key, max(1, round(1000 * timeout))))
    except tf.errors.OpError:
        return None


def wait_for_all(name: str, timeout: float) -> bool:
    """Wait until every worker has called this; a collective would wait without an end.

    Args:
        name: Of the place, never used before.
        timeout: In seconds.

    Returns:
        Whether all came.
    """
    try:
        context.context().wait_at_barrier(name, round(1000 * timeout))
    except tf.errors.OpError:
        return False
    return True


def abort_collectives(reason: str) -> None:
    """End all collectives of this process with an UnavailableError, now and from now on.

    Without it a thread that waits for a worker that will never come waits for ever.
    """
    context.context().abort_collective_ops(tf.errors.UNAVAILABLE, reason)
