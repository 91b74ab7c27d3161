"""HubLayer: a SavedModel, from TensorFlow Hub or a folder, as a Keras 3 layer."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest

PROBE_SECONDS = 3.0
HUB_PREFIX = "hub:"


@keras.saving.register_keras_serializable("lightning_tf", name="HubLayer")
class HubLayer(keras.layers.Layer):  # type: ignore[misc]
    """A SavedModel whose weights Keras knows: they train, freeze, save and load as any layer's.

    Stands where `tensorflow_hub.KerasLayer` stood, which is a Keras 2 layer, and
    `keras.layers.TFSMLayer`, which takes one input and does not train with Adam. Inputs are what
    the SavedModel takes: one tensor, several (``layer(content, style)``), strings, or a dict.
    Models that can be called are called, with their own ``training`` argument where they have one,
    which a frozen layer is given as False; others run a signature, whose inputs, where there are
    several, are given as one dict.

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
        loaded = self._loaded[0]
        trained = {id(v) for v in getattr(loaded, "trainable_variables", None) or ()}
        found = getattr(loaded, "variables", None)
        if found is None:  # a SavedModel that was not written by Keras lists none
            found = [n for n in _nodes(loaded) if isinstance(n, tf.Variable)]
            trained = {id(v) for v in found if v.trainable}
        for index, variable in enumerate(found):
            name = f"{index}_" + variable.name.split(":")[0].replace("/", "_")
            mine = _SharedVariable(variable, id(variable) in trained, name)
            self._track_variable(mine)

    @property
    def saved_model(self) -> Any:
        """What was loaded; an export tracks it for the tables that it holds beside weights."""
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
        if self.output_key is not None:
            if not isinstance(outputs, dict) or self.output_key not in outputs:
                known = list(outputs) if isinstance(outputs, dict) else []
                raise ConfigurationError(
                    f"HubLayer({self.handle!r}, output_key={self.output_key!r}): there is no such "
                    f"output.{nearest(self.output_key, known)}"
                )
            return outputs[self.output_key]
        if isinstance(outputs, dict) and len(outputs) == 1:
            return next(iter(outputs.values()))
        return outputs

    def _run_signature(self, inputs: tuple[Any, ...]) -> Any:
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
        own = {k: getattr(self, k) for k in ("handle", "signature", "output_key")}
        return {**super().get_config(), **own}


class _SharedVariable(keras.Variable):  # type: ignore[misc]
    """A Keras variable whose storage is the SavedModel's own."""

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
        """NumPy 2 asks with `copy`, which Keras' own method does not take."""
        return np.asarray(self.numpy(), dtype=dtype)


def saved_model_handle(name: str) -> str | None:
    """The folder or URL that a user's name of a SavedModel means; None where it means none.

    That is what follows ``hub:``, a URL, a path with a separator, or a folder that is there.

    Example:
        >>> saved_model_handle("hub:models")
        'models'
    """
    if name.startswith(HUB_PREFIX):
        return name.removeprefix(HUB_PREFIX)
    is_place = "://" in name or os.sep in name or Path(name).expanduser().is_dir()
    return name if is_place else None


def refuse_precision(handle: str) -> None:
    """Refuse a precision of the run that a SavedModel would not feel.

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
    import tensorflow_hub

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
    from tensorflow_hub import compressed_module_resolver, resolver

    cached = (
        Path(resolver.tfhub_cache_dir(use_temp=True))
        / (compressed_module_resolver._module_dir(url).rpartition(os.sep)[2])
    )
    parts = urlparse(url)
    if not cached.is_dir() and parts.scheme in ("http", "https"):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((str(parts.hostname), port), timeout=PROBE_SECONDS).close()


def _callable_of(loaded: Any, signature: str | None, handle: str) -> Any:
    signatures = getattr(loaded, "signatures", {})
    if signature is None and callable(loaded):
        return loaded
    if signature is None:
        usual = [name for name in ("serving_default", "default") if name in signatures]
        if not usual:
            raise ConfigurationError(
                f"SavedModel {handle!r} cannot be called and has no usual signature; pass "
                f"signature=.{nearest('serving_default', signatures)}"
            )
        signature = usual[0]
    if signature not in signatures:
        raise ConfigurationError(
            f"SavedModel {handle!r} has no signature {signature!r}.{nearest(signature, signatures)}"
        )
    return signatures[signature]


def _has_training(function: Any) -> bool:
    call = getattr(function, "__call__", function)  # noqa: B004 - the restored function itself
    spec = getattr(call, "function_spec", None)
    if spec is None:
        return False
    names = spec.fullargspec
    return "training" in [*names.args, *names.kwonlyargs]


def _nodes(loaded: Any) -> list[Any]:
    """Every object below a loaded SavedModel, each once."""
    found: dict[int, Any] = {}
    waiting = [loaded]
    while waiting:
        node = waiting.pop(0)
        if id(node) in found:
            continue
        found[id(node)] = node
        children = getattr(node, "_trackable_children", None)
        waiting += list(children().values()) if children else []
    return list(found.values())
