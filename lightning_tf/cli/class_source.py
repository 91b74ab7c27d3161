"""ClassSource: what a class takes, read from its source file without importing it."""

import ast
from dataclasses import dataclass
from pathlib import Path

import docstring_parser


@dataclass(frozen=True)
class Parameter:
    """A parameter of a class.

    Attributes:
        name: As it is passed.
        default: As the source has it; None where a value must be given.
        description: From the docstring.
    """

    name: str
    default: str | None
    description: str


class ClassSource:
    """A class as its file tells it: importing TensorFlow for a help text would take seconds.

    Args:
        file: The module.
        name: The class in it.

    Attributes:
        summary: The docstring's first line.
        parameters: Of ``__init__``; of several with the same name, the class's own.
        passes_on: Whether ``__init__`` has ``**options``, which go to a base.
        bases: Names of its bases.

    Raises:
        LookupError: The module has no such class.

    Example:
        >>> ClassSource(Path("lightning_tf/trainer.py"), "Trainer").summary
        'Drives a Task: fit, validate, test, predict.'
    """

    def __init__(self, file: Path, name: str) -> None:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        classes = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
        node = next(classes, None)
        if node is None:
            raise LookupError(f"{file} has no class {name}")

        docstring = docstring_parser.google.parse(ast.get_docstring(node) or "")
        self.summary = docstring.short_description or ""
        described = {p.arg_name: " ".join((p.description or "").split()) for p in docstring.params}

        init = next(
            (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
        )
        self.passes_on = init is None or init.args.kwarg is not None
        self.bases = [ast.unparse(base) for base in node.bases]
        self.parameters = [] if init is None else _parameters(init.args, described)


def _parameters(arguments: ast.arguments, described: dict[str, str]) -> list[Parameter]:
    by_position = [*arguments.posonlyargs, *arguments.args][1:]  # the first is self

    # The tree has the defaults of the last arguments only.
    first = len(by_position) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * first, *arguments.defaults]
    pairs = [
        *zip(by_position, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]

    return [
        Parameter(
            argument.arg,
            None if default is None else ast.unparse(default),
            described.get(argument.arg, ""),
        )
        for argument, default in pairs
    ]


def find_exports(package: Path) -> dict[str, Path]:
    """Return the files of the classes that a package's ``__init__`` imports by name.

    Args:
        package: Its folder, which is also the last part of its dotted name.
    """
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.name: package.joinpath(*module.split(".")).with_suffix(".py")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for _, inside, module in [(node.module or "").partition(f".{package.name}.")]
        if inside
        for alias in node.names
    }
