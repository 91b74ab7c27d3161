"""What a constructor takes by name."""

import inspect


def argument_names(kind: type) -> set[str] | None:
    """Return what a class's constructor takes by name, with what it passes to its bases.

    Returns:
        None where a class takes any name and may keep it for itself.
    """
    names: set[str] = set()
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
        if options := vars(base).get("_options_of"):
            return names | set(inspect.signature(options).parameters)
        if not base.__module__.startswith("lightning_tf."):
            return None
    return None
