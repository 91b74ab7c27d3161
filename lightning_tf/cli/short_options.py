"""Short options: ``--max_epochs 5 --callbacks EMA --decay 0.99`` for the long spelling of each."""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterator, Sequence

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.spellings import TRAINER

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
        after_class: Those of `own` that belong to a class named before them where that takes them.

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
        after_class: Collection[str] = (),
    ) -> None:
        self._own, self._trainer, self._find = own, trainer, find
        self._after_class = frozenset(after_class)

    def __call__(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command line, spelled out.

        Args:
            words: After the command.

        Raises:
            ConfigurationError: An option of a class has no value, or one without a dot may belong
                to the Trainer as well as to the task, or has another name here.
        """
        named = values_of("--task", words)
        of_task = arguments_of(self._find(named[-1]) if named else None)
        return list(self._spelled(words, of_task))

    def _spelled(self, words: Sequence[str], of_task: Collection[str]) -> Iterator[str]:
        group, of_group, loggers = "", frozenset[str](), 0
        rest = iter(words)
        for word in rest:
            option, equals, value = word.partition("=")
            is_long = option.startswith("--trainer.")
            name = option.removeprefix("--").removeprefix("trainer.").removesuffix("+")
            if not option.startswith("--"):
                yield word
            elif name in CLASSES:
                given = value if equals else next(rest, "")
                group, of_group = name, arguments_of(self._find(given))
                loggers += name == "logger"
                # The first logger replaces those of a config, the second stands beside it.
                yield from _named(name, given, appends=option.endswith("+") or loggers > 1)
            elif is_long or name.partition(".")[0] in {*("trainer", "task", *self._own)} - (
                self._after_class & of_group
            ):
                yield word
            else:
                home = self._home(name.partition(".")[0], group, of_group, of_task)
                yield f"--{home}.{name}{equals}{value}"
                if not equals:
                    yield _value_of(option, next(rest, None))

    def _home(
        self, name: str, group: str, of_group: Collection[str], of_task: Collection[str]
    ) -> str:
        if name not in of_group and name in self._trainer and name in of_task:
            raise ConfigurationError(
                f"--{name} may be of the Trainer or of the task; write --trainer.{name} or "
                f"--task.{name}."
            )
        homes = dict.fromkeys(of_task, "task") | dict.fromkeys(self._trainer, "trainer")
        homes |= dict.fromkeys(of_group, f"trainer.{group}")
        if name in homes:
            return homes[name]
        if of_task and name in TRAINER:  # Keras' and Lightning's names
            raise ConfigurationError(f"there is no option --{name}. Instead: {TRAINER[name]}.")
        # What is nowhere goes where the nearest is, whose owner then says so.
        close = difflib.get_close_matches(name, homes, n=1)
        return homes[close[0]] if close else "task"


def _value_of(option: str, word: str | None) -> str:
    if word is None or word.startswith("--"):
        raise ConfigurationError(f"{option} needs a value.")
    return word


def _named(name: str, given: str, *, appends: bool) -> Iterator[str]:
    if not given or given.startswith("--"):
        raise ConfigurationError(f"--{name} needs the name of a class, such as --{name} NAME.")
    if given[0] in "[{" or given.lower() in ("true", "false", "null"):
        yield from (f"--trainer.{name}", given)  # all of them, or none
    else:
        yield f"--trainer.{name}{'+=' if appends else CLASSES[name]}{given}"


def values_of(option: str, words: Sequence[str]) -> list[str]:
    """Return what stands after an option, each time that it is given.

    Args:
        option: With its dashes.
        words: Of a command line.
    """
    pairs = zip(words, [*words[1:], ""], strict=True)
    given = [
        after if word == option else word.partition("=")[2]
        for word, after in pairs
        if word == option or word.startswith(f"{option}=")
    ]
    return [value for value in given if value]


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
