"""HubLayer: a SavedModel, from TensorFlow Hub or a folder, as a Keras 3 layer."""

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import track_variable
from lightning_tf.tensorflow_internals import (
    hub_folder_name,
    import_tensorflow_hub,
    tracked_children,
)

PROBE_SECONDS = 3.0  # that a host has for answering
HUB_PREFIX = "hub:"
DEFAULT_SIGNATURES = ("serving_default", "default")


@keras.saving.register_keras_serializable("lightning_tf", name="HubLayer")
class HubLayer(keras.layers.Layer):  # type: ignore[misc]
    """A SavedModel whose weights Keras knows: they train, freeze, save and load as any layer's.

    Takes the place of `tensorflow_hub.KerasLayer`, which is a Keras 2 layer, and of
    `keras.layers.TFSMLayer`, which takes one input and does not train with Adam. Inputs are what
    the SavedModel takes: one tensor, several (``layer(content, style)``), strings, or a dict.
    Models that can be called are called, with their ``training`` argument where they have one,
    which is False for a frozen layer; others run a signature, which takes several inputs as one
    dict.

    The layer computes in float32 under every precision, as a SavedModel's graph has fixed dtypes.
    A `.keras` file holds the handle and the weights: what the handle names must be there when the
    file is read. Make the layer where it shall train (in `configure_model`): the graph of a
    SavedModel keeps the variables that it was loaded with, which therefore cannot move to other
    devices.

    Args:
        handle: A folder with a SavedModel, or a URL of TensorFlow Hub.
        signature: Run this signature instead of calling the model.
        output_key: Take this one of several named outputs.
        trainable: Whether the weights that the SavedModel marks as trainable train.
        **kwargs: As of `keras.layers.Layer`.

    Raises:
        ConfigurationError: There is no such folder, the host cannot be reached, the SavedModel has
            nothing to call, or a name is unknown.

    Example:
        >>> layer = HubLayer("models/nnlm", trainable=True)
        >>> layer(tf.constant(["a text", "and another"])).shape
        TensorShape([2, 50])
    """

    def __init__(
        self,
        handle: str | os.PathLike[str],
        *,
        signature: str | None = None,
        output_key: str | None = None,
        trainable: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(trainable=trainable, **kwargs)
        self.handle, self.signature, self.output_key = os.fspath(handle), signature, output_key
        # In a tuple, so that Keras does not track the loaded object's own lists.
        self._loaded = (load_saved_model(self.handle),)
        self._run = _callable_of(self._loaded[0], signature, self.handle)
        self._takes_training = signature is None and _has_training(self._run)
        self._adopt_variables()
        self.built = True

    def _adopt_variables(self) -> None:
        """Let Keras track the SavedModel's variables as this layer's weights."""
        loaded = self._loaded[0]
        variables = getattr(loaded, "variables", None)
        trainable = {id(v) for v in getattr(loaded, "trainable_variables", None) or ()}
        if variables is None:  # a SavedModel that was not written by Keras lists none
            variables = [n for n in _nodes(loaded) if isinstance(n, tf.Variable)]
            trainable = {id(v) for v in variables if v.trainable}

        for index, variable in enumerate(variables):
            # Numbered, because names in a SavedModel may repeat.
            name = f"{index}_" + variable.name.split(":")[0].replace("/", "_")
            track_variable(self, _SharedVariable(variable, id(variable) in trainable, name))

    @property
    def saved_model(self) -> Any:
        """The loaded object; an export tracks it for the tables that it holds beside weights."""
        return self._loaded[0]

    def call(self, *inputs: Any, training: bool | None = None) -> Any:
        """Run the SavedModel.

        Args:
            *inputs: What it takes, with the batch first.
            training: Whether this is a training step; a frozen layer stays in inference mode.
        """
        if self.signature is not None or not callable(self._loaded[0]):
            outputs = self._run_signature(inputs)
        else:
            options = {"training": bool(training) and self.trainable}
            outputs = self._run(*inputs, **(options if self._takes_training else {}))
        return self._select(outputs)

    def _select(self, outputs: Any) -> Any:
        """Return the output that `output_key` names, a dict's only one, or all."""
        by_name = outputs if isinstance(outputs, dict) else {}
        if self.output_key is None:
            return next(iter(by_name.values())) if len(by_name) == 1 else outputs
        if self.output_key not in by_name:
            raise ConfigurationError(
                f"HubLayer({self.handle!r}, output_key={self.output_key!r}): there is no such "
                f"output.{nearest(self.output_key, list(by_name))}"
            )
        return by_name[self.output_key]

    def _run_signature(self, inputs: tuple[Any, ...]) -> Any:
        """Run a signature, which takes its inputs by name."""
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            return self._run(**inputs[0])

        names = list(self._run.structured_input_signature[1])
        if len(inputs) != 1 or len(names) != 1:
            raise ConfigurationError(
                f"HubLayer({self.handle!r}) was given {len(inputs)} inputs; its signature takes "
                f"{', '.join(names)}, which have names and no order: call it with one dict."
            )
        return self._run(**{names[0]: inputs[0]})

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        arguments = {k: getattr(self, k) for k in ("handle", "signature", "output_key")}
        return {**super().get_config(), **arguments}


class _SharedVariable(keras.Variable):  # type: ignore[misc]
    """A Keras variable that is stored in the SavedModel's variable."""

    def __init__(self, variable: tf.Variable, trainable: bool, name: str) -> None:
        self._shared = False
        super().__init__(variable, trainable=trainable, dtype=variable.dtype.name, name=name)
        self._shared = True

    def _initialize(self, value: Any) -> None:
        if self._shared:
            raise ConfigurationError(
                f"HubLayer's variable {self.name!r} was made under other devices than this "
                "Trainer's and cannot move; make the layer in configure_model."
            )
        self._value = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return a NumPy array; NumPy 2 passes `copy`, which Keras' method does not take."""
        return np.asarray(self.numpy(), dtype=dtype)


def saved_model_handle(name: str) -> str | None:
    """Return the folder or URL that a user's name of a SavedModel means; None where it means none.

    A SavedModel is meant by what follows ``hub:``, a URL, a path with a separator, or the name of a
    folder that is there.

    Example:
        >>> saved_model_handle("hub:models")
        'models'
    """
    if name.startswith(HUB_PREFIX):
        return name.removeprefix(HUB_PREFIX)
    is_place = "://" in name or os.sep in name or Path(name).expanduser().is_dir()
    return name if is_place else None


def refuse_precision(handle: str) -> None:
    """Refuse a precision of the run that would not reach a SavedModel.

    Raises:
        ConfigurationError: Layers compute in another dtype than float32.
    """
    policy = keras.config.dtype_policy()
    if policy.compute_dtype != "float32":
        raise ConfigurationError(
            f"precision={policy.name!r}: the SavedModel {handle!r} computes in float32 alone, so "
            "the precision would change nothing; leave it out."
        )


def load_saved_model(handle: str) -> Any:
    """Load a SavedModel from a folder, or from a URL through tensorflow_hub.

    Raises:
        ConfigurationError: It is not there; the message says what was tried.
    """
    if "://" not in handle:
        folder = Path(handle).expanduser()
        if not ((folder / "saved_model.pb").is_file() or (folder / "saved_model.pbtxt").is_file()):
            what = "has no saved_model.pb" if folder.is_dir() else "is no folder"
            raise ConfigurationError(
                f"SavedModel {handle!r}: {folder} {what}; give the folder that "
                "tf.saved_model.save wrote, or a URL of TensorFlow Hub."
            )
        return tf.saved_model.load(str(folder))

    tensorflow_hub = import_tensorflow_hub()
    try:
        _probe(handle)
        return tf.saved_model.load(tensorflow_hub.resolve(handle))
    except Exception as error:  # urllib's, TensorFlow's and socket's errors have no common base
        raise ConfigurationError(
            f"SavedModel {handle!r} cannot be downloaded ({type(error).__name__}: {error}). Tried "
            "tensorflow_hub's cache (TFHUB_CACHE_DIR), then the host. Download and unpack it where "
            "there is a network, and give the folder."
        ) from error


def _probe(url: str) -> None:
    """Fail at once where the host is away, unless the model is in tensorflow_hub's cache.

    Raises:
        OSError: The host cannot be reached.
    """
    from tensorflow_hub import resolver

    cached = Path(resolver.tfhub_cache_dir(use_temp=True)) / hub_folder_name(url)
    parts = urlparse(url)
    if not cached.is_dir() and parts.scheme in ("http", "https"):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((str(parts.hostname), port), timeout=PROBE_SECONDS).close()


def _callable_of(loaded: Any, signature: str | None, handle: str) -> Any:
    """Return what the layer calls: the signature of that name, the model, or a default signature.

    Raises:
        ConfigurationError: There is none of them.
    """
    if signature is None and callable(loaded):
        return loaded

    signatures = getattr(loaded, "signatures", {})
    if signature is None:
        signature = next((name for name in DEFAULT_SIGNATURES if name in signatures), None)
        if signature is None:
            raise ConfigurationError(
                f"SavedModel {handle!r} cannot be called and has no default signature; pass "
                f"signature=.{nearest('serving_default', signatures)}"
            )
    if signature not in signatures:
        raise ConfigurationError(
            f"SavedModel {handle!r} has no signature {signature!r}.{nearest(signature, signatures)}"
        )
    return signatures[signature]


def _has_training(function: Any) -> bool:
    """Return whether a restored function takes ``training``."""
    call = getattr(function, "__call__", function)  # noqa: B004 - the restored function itself
    spec = getattr(call, "function_spec", None)
    if spec is None:
        return False
    arguments = spec.fullargspec
    return "training" in [*arguments.args, *arguments.kwonlyargs]


def _nodes(loaded: Any) -> list[Any]:
    """Return every object below a loaded SavedModel, each once, nearest first."""
    nodes: dict[int, Any] = {}
    waiting = [loaded]
    while waiting:
        node = waiting.pop(0)
        if id(node) in nodes:
            continue
        nodes[id(node)] = node
        waiting += tracked_children(node)
    return list(nodes.values())
