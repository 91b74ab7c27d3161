"""GraphPlan: what a GPU would wait for in a traced window, counted where there is no GPU.

TensorFlow's wheel registers every kernel with the arguments that it wants in host memory. From
them follows, as with soft placement, where each operation of a graph runs and which tensors cross
between host and device. Nothing is timed: these are counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph, kernels
from tensorflow.python.ops import handle_data_util

HOST, DEVICE = "host", "device"
ON_GPU = ("GPU", "DEFAULT")  # kernels of DEFAULT run on every device
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
LOOPS = {"While", "StatelessWhile"}
BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}
PASSED_ON = {"Identity", "IdentityN", "StopGradient", "PreventGradient"}  # optimized away
FREE = {"NoOp", "Const", "Reshape", "ReadVariableOp", "ExpandDims", "Squeeze"}  # move no data
METADATA = {"Shape", "ShapeN", "Size", "Rank"}  # read no values, wherever these lie


@dataclass
class GraphPlan:
    """The counts of one graph.

    Attributes:
        to_host: Tensors that cross from device to host, by the operation that wants them: each is a
            wait for the device.
        to_device: Tensors that cross the other way, by the operation that wants them.
        launches: Operations with a kernel on the device, by type.
        int32_variables: Names of variables of int32, whose handles have no kernel on a GPU.
        in_loop: The same counts of the bodies of loops alone: what every batch pays.
    """

    to_host: Counter[str] = field(default_factory=Counter)
    to_device: Counter[str] = field(default_factory=Counter)
    launches: Counter[str] = field(default_factory=Counter)
    int32_variables: set[str] = field(default_factory=set)
    in_loop: GraphPlan | None = None

    @property
    def batch(self) -> GraphPlan:
        """Return what every batch pays; of a graph without a loop all."""
        return self.in_loop or self

    def row(self) -> dict[str, int]:
        """Return the numbers of a table."""
        return {
            "to_host": sum(self.batch.to_host.values()),
            "to_device": sum(self.batch.to_device.values()),
            "launches": sum(self.batch.launches.values()),
            "int32_variables": len(self.int32_variables),
        }


def plan(graph: Any, device: str, batches_are_there: bool = False) -> GraphPlan:
    """Count what a graph costs on a GPU.

    Args:
        graph: Of a concrete function, traced on a CPU that stands in for the GPU.
        device: That CPU, such as ``CPU:1``; what is placed on another one was put on the host.
        batches_are_there: Whether iterators give batches that were copied to the device before.
    """
    whole = GraphPlan(in_loop=GraphPlan())
    whole.int32_variables = {v.name for v in graph.variables if v.dtype == tf.int32}
    outside = {id(inside): outside for outside, inside in graph.captures}
    places = [
        HOST
        if device not in getattr(outside.get(id(tensor)), "device", device)
        else _place_of(tensor, DEVICE if batches_are_there else HOST)
        for tensor in graph.inputs
    ]
    _Walk(device, whole).function(graph, places, in_loop=False)
    return whole


def _place_of(tensor: Any, iterators: str) -> str:
    """Return where an argument of the whole graph lies: variables on the device."""
    if tensor.dtype != tf.resource:
        return HOST  # numbers that Python hands over
    data = handle_data_util.get_resource_handle_data(tensor)
    if not data.is_set:
        return iterators
    types = [tf.as_dtype(each.dtype) for each in data.shape_and_type]
    return DEVICE if types and types[0] != tf.int32 else HOST


class _Walk:
    """Places the operations of a graph and of all functions that it calls."""

    def __init__(self, device: str, found: GraphPlan) -> None:
        self.device, self.found = device, found

    def function(self, graph: Any, places: list[str], in_loop: bool) -> list[str]:
        """Walk through a function; return where its outputs are.

        Args:
            graph: Of the function.
            places: Where its arguments are.
            in_loop: Whether every batch pays for it.
        """
        where = {id(t): p for t, p in zip(graph.inputs, places, strict=False)}
        crossed: set[tuple[int, str]] = set()
        constant: set[int] = set()
        for op in graph.get_operations():
            if op.type in ("Placeholder", "_Arg"):
                continue
            if _is_constant(op, constant):
                constant.update(id(t) for t in op.outputs)
                if op.type != "Const":  # computed before the first call
                    for tensor in op.outputs:
                        where[id(tensor)] = HOST if tensor.dtype == tf.int32 else DEVICE
                    continue
            self._operation(op, where, crossed, in_loop)
        return [where.get(id(t), HOST) for t in graph.outputs]

    def _operation(
        self, op: Any, where: dict[int, str], crossed: set[tuple[int, str]], in_loop: bool
    ) -> None:
        inputs = [where.get(id(t), HOST) for t in op.inputs]

        def want(index: int, place: str) -> None:
            tensor = op.inputs[index]
            if inputs[index] == place or tensor.dtype in (tf.resource, tf.variant):
                return
            if (id(tensor), place) not in crossed:  # sent once for all who want it there
                crossed.add((id(tensor), place))
                self._note("to_host" if place == HOST else "to_device", _label(op), in_loop)

        if op.type in CALLS:
            outputs = self._call(op, "f", inputs, in_loop)
        elif op.type in LOOPS:
            outputs = self._loop(op, inputs, want)
        elif op.type in PASSED_ON:
            outputs = inputs
        elif op.type in METADATA:
            outputs = [HOST] * len(op.outputs)
        elif op.type in BRANCHES:
            want(0, HOST)
            outputs = self._branches(op, inputs[1:], in_loop)
        else:
            outputs = self._kernel(op, inputs, want, in_loop)
        for tensor, place in zip(op.outputs, outputs, strict=True):
            where[id(tensor)] = place

    def _call(self, op: Any, attribute: str, inputs: list[str], in_loop: bool) -> list[str]:
        graph = _body(op, op.get_attr(attribute).name)
        return self.function(graph, inputs, in_loop)

    def _loop(self, op: Any, inputs: list[str], want: Any) -> list[str]:
        body, condition = (_body(op, op.get_attr(name).name) for name in ("body", "cond"))
        places = list(inputs)
        for _ in range(2):  # a variable of the loop lies where the body leaves it
            quiet = _Walk(self.device, GraphPlan(in_loop=GraphPlan()))
            places = quiet.function(body, places, in_loop=True)
        for index, place in enumerate(places):
            want(index, place)
        self.function(body, places, in_loop=True)
        (predicate,) = self.function(condition, places, in_loop=True)
        if predicate == DEVICE:
            self._note("to_host", "While: condition", True)
        return places

    def _branches(self, op: Any, inputs: list[str], in_loop: bool) -> list[str]:
        names = (
            [branch.name for branch in op.get_attr("branches")]
            if "Case" in op.type
            else [op.get_attr(name).name for name in ("then_branch", "else_branch")]
        )
        # One of them runs; the dearer one is counted.
        plans, outputs = [], []
        for name in names:
            walk = _Walk(self.device, GraphPlan(in_loop=GraphPlan()))
            outputs.append(walk.function(_body(op, name), list(inputs), in_loop))
            plans.append(walk.found)
        dearest = max(plans, key=lambda each: sum(each.row().values()) + sum(each.to_host.values()))
        for of, into in ((dearest, self.found), (dearest.in_loop, self.found.in_loop)):
            for name in ("to_host", "to_device", "launches"):
                getattr(into, name).update(getattr(of, name))
        return [HOST if HOST in places else DEVICE for places in zip(*outputs, strict=True)]

    def _kernel(self, op: Any, inputs: list[str], want: Any, in_loop: bool) -> list[str]:
        kernel = self._gpu_kernel(op, inputs)
        if kernel is None:
            for index in range(len(inputs)):
                want(index, HOST)
            return [HOST] * len(op.outputs)

        on_host = set(kernel.host_memory_arg)
        for index, name in enumerate(_arguments(op, op.op_def.input_arg, len(inputs))):
            want(index, HOST if name in on_host else DEVICE)
        names = _arguments(op, op.op_def.output_arg, len(op.outputs))
        outputs = [HOST if name in on_host else DEVICE for name in names]
        computes = DEVICE in outputs or (not outputs and DEVICE in inputs)
        if op.type not in FREE and computes:
            self._note("launches", op.type, in_loop)
        return outputs

    def _gpu_kernel(self, op: Any, inputs: list[str]) -> Any:
        if op.device and self.device not in op.device:
            return None  # put on the host
        if op.inputs and op.inputs[0].dtype == tf.resource and inputs[0] == HOST:
            return None  # beside what it reads
        for kernel in _kernels(op.type):
            if kernel.device_type in ON_GPU and _fits(kernel, op):
                return kernel
        return None

    def _note(self, what: str, label: str, in_loop: bool) -> None:
        getattr(self.found, what)[label] += 1
        if in_loop and self.found.in_loop is not None:
            getattr(self.found.in_loop, what)[label] += 1


def _is_constant(op: Any, constant: set[int]) -> bool:
    folds = bool(op.inputs) and not op.op_def.is_stateful
    return op.type == "Const" or (folds and all(id(t) in constant for t in op.inputs))


@cache
def _kernels(op_type: str) -> list[Any]:
    return list(kernels.get_registered_kernels_for_op(op_type).kernel)


def _fits(kernel: Any, op: Any) -> bool:
    for constraint in kernel.constraint:
        allowed = set(constraint.allowed_values.list.type)
        given = op.get_attr(constraint.name)
        types = given if isinstance(given, list) else [given]
        if allowed and not {tf.as_dtype(each).as_datatype_enum for each in types} <= allowed:
            return False
    return True


def _arguments(op: Any, arguments: Any, count: int) -> list[str]:
    """Return, for each tensor of an operation, the name of its argument."""
    names: list[str] = []
    for argument in arguments:
        if argument.number_attr:
            times = op.get_attr(argument.number_attr)
        elif argument.type_list_attr:
            times = len(op.get_attr(argument.type_list_attr))
        else:
            times = 1
        names += [argument.name] * times
    return names[:count]


def _body(op: Any, name: str) -> Any:
    graph = op.graph
    while graph is not None:
        known = getattr(graph, "_functions", {})
        if name in known:
            break
        graph = getattr(graph, "outer_graph", None)
    definition = _definition(op.graph, name)
    with op.graph.as_default():
        return function_def_to_graph.function_def_to_graph(definition)


def _definition(graph: Any, name: str) -> Any:
    known = graph._functions.get(name)
    if known is not None:
        return known.function_def if hasattr(known, "function_def") else known.definition
    from tensorflow.python.eager import context

    return context.context().get_function_def(name)


def _label(op: Any) -> str:
    return f"{op.type}: {op.name}"
