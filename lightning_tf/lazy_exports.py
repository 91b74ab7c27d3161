"""Public names of a package that are imported when they are asked for."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_tf.lean_import import lean_import


def lazy_exports(
    package: str,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make a package's ``__getattr__``, ``__dir__`` (PEP 562) and ``__all__``.

    The names are those that its ``__init__.py`` imports for type checkers, in the block ``if
    TYPE_CHECKING``: each stands once, where editors find it too.

    Args:
        package: The package's ``__name__``.

    Example:
        >>> __getattr__, __dir__, __all__ = lazy_exports(__name__)
    """
    module = sys.modules[package]
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    modules = {
        alias.name: str(node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with lean_import():
            value = getattr(import_module(modules[name]), name)
        setattr(module, name, value)  # found at once from now on
        return value

    def names() -> list[str]:
        return sorted({*vars(module), *modules})

    return find, names, sorted(modules)
