"""HostSeeds: states of random generators, kept on the host while a window of batches runs."""

from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import replaced_next, seeds_cast_on, wrapped_variable

HOST = "/CPU:0"


class HostSeeds:
    """States of generators as variables on the host, between `pack` and `unpack` in a graph call.

    TensorFlow wants a draw's seed in host memory. A state that lies on a GPU would cost each draw a
    wait for all that the GPU has queued; here it costs one a window.

    The draws are traced inside `drawing`; in the graph around them `pack` goes before the first and
    `unpack` after the last.

    Args:
        drawn_in_place: Generators that draw where their state is, as the step itself reads or
            assigns it.
    """

    def __init__(self, drawn_in_place: Set[keras.random.SeedGenerator] = frozenset()) -> None:
        self.drawn_in_place = drawn_in_place
        self._states: dict[keras.random.SeedGenerator, keras.Variable] = {}

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Let generators that are traced in the ``with`` block draw from states on the host."""
        with replaced_next(self._next), seeds_cast_on(HOST):
            yield

    def variables(self) -> list[tuple[Any, Any]]:
        """Return the states, whose values mean nothing between graph calls, each with its own."""
        return [
            (wrapped_variable(state), wrapped_variable(generator.state))
            for generator, state in self._states.items()
        ]

    def also_used(self, variables: Iterable[Any]) -> set[keras.random.SeedGenerator]:
        """Return the generators whose own state a trace uses beside the one on the host.

        A step that reads such a state would miss the draws, and one that assigns it would be
        forgotten by them.

        Args:
            variables: TensorFlow's, of what was traced inside `drawing`.
        """
        used = {id(variable) for variable in variables}
        return {g for g in self._states if id(wrapped_variable(g.state)) in used}

    def pack(self) -> None:
        """Copy the generators' states to the host, at the beginning of a graph call."""
        for on_host, state in self.variables():
            on_host.assign(state)

    def unpack(self) -> None:
        """Copy the states to where Keras has them, at the end of a graph call."""
        for on_host, state in self.variables():
            state.assign(on_host)

    def _next(
        self, draw: Callable[..., Any], generator: keras.random.SeedGenerator, ordered: bool
    ) -> Any:
        """Draw a seed from the state on the host."""
        if (
            generator in self.drawn_in_place or tf.executing_eagerly()
        ):  # by another thread, while this traces
            return draw(generator, ordered)

        before = generator.state
        if generator not in self._states:
            with tf.init_scope(), tf.device(HOST):
                self._states[generator] = keras.Variable(
                    "zeros", before.shape, before.dtype, trainable=False, name="seed_on_host"
                )

        generator.state = self._states[generator]
        try:
            with tf.device(HOST):
                return draw(generator, ordered)
        finally:
            generator.state = before
