"""GrapplerOptions: what TensorFlow rewrites in a graph before its first call."""

from types import TracebackType

import tensorflow as tf

from lightning_tf.tensorflow_internals import get_call_options, make_call_options, set_call_options


class GrapplerOptions:
    """A ``with`` block whose graph calls are rewritten without the passes that serve GPUs only.

    Before a graph's first call Grappler makes a dozen passes over it. Three of them (the layout of
    images, what to move off a full GPU, and a second framework of passes, TFG) change nothing of a
    step on a CPU and take a third of the time: 12 of 36 ms of a tiny MLP's, 0.6 s of an unrolled
    LSTM's. All graphs go without them, so that all round alike. Machines with a GPU and programs
    that have chosen with ``tf.config.optimizer`` keep what they have.

    A graph keeps the options of its first call: every call of it goes inside the block.

    Example:
        >>> with GrapplerOptions():
        ...     int(tf.function(lambda x: x + 1)(tf.constant(1)))
        2
    """

    def __init__(self) -> None:
        self._options = self._options_outside = None
        if not tf.config.list_logical_devices("GPU"):
            self._options = make_call_options()

    def __enter__(self) -> None:
        """Take the options for this thread's calls."""
        if self._options is not None:
            self._options_outside = get_call_options()
            set_call_options(self._options)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put back the options that were there."""
        if self._options is not None:
            set_call_options(self._options_outside)
