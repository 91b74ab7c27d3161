"""Short options: ``--max_epochs 5 --callbacks EMA --decay 0.99`` for the long spelling of each."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence

from lightning_tf.exceptions import ConfigurationError

# Given by the name of a class, and by the arguments of that class after it.
CLASSES = {"callbacks": "+=", "logger": "="}


class ShortOptions:
    """Spells options out as the parser knows them.

    An option without a dot is an argument of the callback or logger that is named before it, where
    that takes it, else of the Trainer, else of the task.

    Args:
        own: Options of the command itself, such as ``task`` and ``ckpt_path``.
        trainer: The Trainer's arguments.
        find: Returns the class of a short name or import path; None where there is none.

    Example:
        >>> short = ShortOptions({"task"}, {"max_epochs"}, {"EMA": EMA}.get)
        >>> short(["--task", "GAN", "--max_epochs", "5", "--callbacks", "EMA", "--decay", "0.9"])
        ['--task', 'GAN', '--trainer.max_epochs', '5', '--trainer.callbacks+=EMA',
         '--trainer.callbacks.decay', '0.9']
    """

    def __init__(
        self,
        own: Collection[str],
        trainer: Collection[str],
        find: Callable[[str], type | None],
    ) -> None:
        self._own, self._trainer, self._find = own, trainer, find

    def __call__(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command line, spelled out.

        Args:
            words: After the command.

        Raises:
            ConfigurationError: An option of a class has no value, or what follows a task's name
                may belong to the Trainer as well as to it.
        """
        task = _value_of("--task", words)
        of_task = arguments_of(None if task is None else self._find(task))
        return list(self._spelled(words, of_task))

    def _spelled(self, words: Sequence[str], of_task: Collection[str]) -> Iterator[str]:
        group, of_group = "", frozenset[str]()
        rest = iter(words)
        for word in rest:
            option, equals, value = word.partition("=")
            name = option.removeprefix("--").removeprefix("trainer.").removesuffix("+")
            if not option.startswith("--"):
                yield word
            elif name in CLASSES:
                given = value if equals else next(rest, "")
                group, of_group = name, arguments_of(self._find(given))
                yield from _named(name, given, equals=option.endswith("+"))
            elif "." in name or name in self._own or option.startswith("--trainer."):
                yield word
            else:
                yield f"--{self._home(name, group, of_group, of_task)}.{name}{equals}{value}"

    def _home(
        self, name: str, group: str, of_group: Collection[str], of_task: Collection[str]
    ) -> str:
        if name in of_group:
            return f"trainer.{group}"
        if name in self._trainer and name in of_task:
            raise ConfigurationError(
                f"--{name} may be of the Trainer or of the task; write --trainer.{name} or "
                f"--task.{name}."
            )
        return "trainer" if name in self._trainer else "task"


def _named(name: str, given: str, *, equals: bool) -> Iterator[str]:
    if not given or given.startswith("--"):
        raise ConfigurationError(f"--{name} needs the name of a class, such as --{name} NAME.")
    if given[0] in "[{" or given.lower() in ("true", "false", "null"):
        yield from (f"--trainer.{name}", given)  # all of them, or none
    else:
        yield f"--trainer.{name}{'+=' if equals else CLASSES[name]}{given}"


def _value_of(option: str, words: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            return following or None
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def arguments_of(cls: type | None) -> frozenset[str]:
    """Return the names that a class's constructor takes, its bases' where it passes options on.

    Args:
        cls: None has none.
    """
    names: set[str] = set()
    for base in () if cls is None else inspect.getmro(cls):
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        names |= {each.name for each in parameters if each.kind not in variable}
        if all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters):
            break
    return frozenset(names - {"self"})
