"""BackboneLayers: the layers of a task's backbone, found by name, frozen and unfrozen."""

from collections.abc import Sequence
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import flat_layers, sublayers
from lightning_tf.variables import components

OWNER = "BackboneFinetuning"


class BackboneLayers:
    """Freezes the layers of a backbone, unfreezes some of them, and restores them.

    Args:
        task: Whose models are built.
        path: See `BackboneFinetuning`.
        layers: See `BackboneFinetuning`.
        head: See `BackboneFinetuning`.
        always_frozen: See `BackboneFinetuning`.
        train_batch_norm: See `BackboneFinetuning`.

    Raises:
        ConfigurationError: A name is unknown, or there are fewer layers than asked for.

    Example:
        >>> backbone = BackboneLayers(task, "model.backbone", layers=2)
        >>> backbone.freeze()
        >>> backbone.unfreeze()
        >>> backbone.restore()
    """

    def __init__(
        self,
        task: Any,
        path: str,
        *,
        layers: int | str | None = None,
        head: int | str | None = None,
        always_frozen: Sequence[str] = (),
        train_batch_norm: bool = False,
    ) -> None:
        root = resolve(task, path)
        children = [c for c in sublayers(root) if not isinstance(c, keras.layers.InputLayer)]

        if head is not None:
            # The head is at the top: everything from its first layer on is left out.
            children = children[: _first_of_the_top(children, head, "head", path)]
        first = 0 if layers is None else _first_of_the_top(children, layers, "layers", path)
        # The root is left out where it contains the head, which must not freeze with it.
        root_layers = [root] if head is None else []
        selected = (*root_layers, *_with_sublayers(children))
        self.all = list({id(layer): layer for layer in selected}.values())  # each once
        self.before = [layer.trainable for layer in self.all]

        known = {layer.name: layer for layer in self.all}
        for name in always_frozen:
            if name not in known:
                raise ConfigurationError(
                    f"{OWNER}(always_frozen=...): {path} has no layer {name!r}."
                    f"{nearest(name, known)}"
                )

        excluded = {id(x) for name in always_frozen for x in _with_sublayers([known[name]])}
        chosen = {id(layer) for layer in (*root_layers, *_with_sublayers(children[first:]))}
        self.unfrozen = [
            was_trainable
            and id(layer) in chosen - excluded
            and (train_batch_norm or not isinstance(layer, keras.layers.BatchNormalization))
            for layer, was_trainable in zip(self.all, self.before, strict=True)
        ]

    def freeze(self) -> None:
        """Freeze all layers."""
        self._set([False] * len(self.all))

    def unfreeze(self) -> None:
        """Unfreeze the chosen layers, except those that the task had frozen itself."""
        self._set(self.unfrozen)

    def restore(self) -> None:
        """Make every layer as trainable as it was when this object was made."""
        self._set(self.before)

    @property
    def variables(self) -> list[Any]:
        """Return the variables of all layers, trainable or not."""
        return [variable for layer in self.all for variable in layer.variables]

    def _set(self, states: Sequence[bool]) -> None:
        pairs = list(zip(self.all, states, strict=True))
        # Setting a layer also sets the layers inside it: outer ones first, then the innermost once
        # more, because a shared one may lie in an outer layer that came later.
        for layer, state in pairs:
            layer.trainable = state
        for layer, state in pairs:
            if not sublayers(layer):
                layer.trainable = state


def resolve(task: Any, path: str) -> keras.Layer:
    """Return the layer that a path of attributes, keys, positions and layer names leads to.

    Raises:
        ConfigurationError: It leads nowhere, or to no layer; names the nearest known name.
    """
    target, walked = task, type(task).__name__
    for part in path.split("."):
        known = _named_children(target)
        if part not in known and isinstance(getattr(target, part, None), keras.Layer):
            known[part] = getattr(target, part)  # a property, as keras-hub's `backbone`
        if part not in known:
            raise ConfigurationError(
                f"{OWNER}(backbone={path!r}): {walked} has no {part!r}.{nearest(part, known)}"
            )
        target, walked = known[part], part

    if not isinstance(target, keras.Layer):
        raise ConfigurationError(
            f"{OWNER}(backbone={path!r}) is a {type(target).__name__}; name a layer or a model."
            f"{nearest(path, _named_children(target))}"
        )
    return target


def _named_children(owner: Any) -> dict[str, Any]:
    """Return what a path may name next: attributes, keys or positions, and layers of a layer."""
    if isinstance(owner, dict):
        return {str(key): value for key, value in owner.items()}
    if isinstance(owner, (list, tuple)):
        return {str(index): value for index, value in enumerate(owner)}
    inner = sublayers(owner) if isinstance(owner, keras.Layer) else []
    attributes = {path.split(".")[0] for path, _ in components(owner)}
    public = {name: getattr(owner, name) for name in sorted(attributes) if name[0] != "_"}
    return {layer.name: layer for layer in inner} | public


def _with_sublayers(layers: Sequence[keras.Layer]) -> list[keras.Layer]:
    return [inner for layer in layers for inner in flat_layers(layer)]


def _first_of_the_top(
    children: Sequence[keras.Layer], top: int | str, argument: str, path: str
) -> int:
    """Return the position of the first of the top layers, named or counted."""
    if isinstance(top, str):
        names = [layer.name for layer in children]
        if top not in names:
            raise ConfigurationError(
                f"{OWNER}({argument}={top!r}): {path} has no such layer.{nearest(top, names)}"
            )
        return names.index(top)

    # Layers without weights, such as activations, do not count.
    positions = [index for index, layer in enumerate(children) if layer.weights]
    if top > len(positions):
        raise ConfigurationError(
            f"{OWNER}({argument}={top}): there are {len(positions)} layers with weights to count "
            f"in {path}; give at most that many, or the name of a layer."
        )
    return positions[-top]
