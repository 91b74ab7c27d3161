"""TuneCommand: what `lightning-tf tune` does."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from lightning_tf.callbacks.config_writer import ConfigWriter
from lightning_tf.cli.option_parser import OptionParser
from lightning_tf.cli.run_command import FAILED, exit_code_of, package_error
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import portable
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.tuning.hyperparameter_search import HyperparameterSearch
from lightning_tf.tuning.search_result import SearchResult

SEARCH, BEST = "--search.", "best.yaml"
ROOT = "default_root_dir"
OF_ROOT = (f"--{ROOT}", f"--trainer.{ROOT}")
QUIET = ("enable_progress_bar", "enable_model_summary")  # of trials, where the call is silent


class TuneCommand:
    """``lightning-tf tune``: fit again and again with other values of some options.

    Args:
        arguments: What follows ``tune``: options of fit, and ``--search.OPTION RANGE``.

    Example:
        >>> TuneCommand(
        ...     ["--task", "ImageClassification", "--max_epochs", "5", "--trials", "10"]
        ...     + ["--search.learning_rate", "0.0001..0.1 log", "--monitor", "val_accuracy"]
        ...     + ["--mode", "max"]
        ... ).run()
        0
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._parser = OptionParser("tune")
        self._arguments = list(arguments)
        self._words: list[str] = []  # without the ranges

    def run(self) -> int:
        """Do it; errors of this package become one line.

        Returns:
            The exit code: 0, 2 where the options are wrong, 1 where something failed or no trial
            came to an end.
        """
        try:
            search, trials = self._prepare()
            result = self._search(search, trials)
        except Exception as error:
            return exit_code_of(error, "tune")
        return self._tell(result, search.has_failed)

    def _search(self, search: HyperparameterSearch, trials: int | None) -> SearchResult:
        try:
            return search.run(self._make, trials)
        except KeyboardInterrupt:
            how = "the same command goes on" if search.storage else "only a --storage can go on"
            print(f"lightning-tf tune: Ctrl-C ends the search; {how}.", file=sys.stderr)
            raise

    def _prepare(self) -> tuple[HyperparameterSearch, int | None]:
        """Return the search and how many trials, after everything was tried that needs no work.

        Raises:
            ConfigurationError: An option cannot be.
        """
        self._words, texts = _split(self._arguments)
        options = self._parser.parse(self._words)
        ranges = {**_flat(options.search or {}), **texts}
        ranges = {self._parser.long_name(n, self._words): each for n, each in ranges.items()}
        if not ranges:
            raise ConfigurationError(
                "give something to search, such as --search.learning_rate '0.0001..0.1 log' or "
                "--search.network mlp,convnet."
            )
        for name in ranges:
            if not name.startswith(("task.", "trainer.")) or name == f"trainer.{ROOT}":
                raise ConfigurationError(
                    f"{SEARCH}{name}: no option of the task or of the Trainer that trials may "
                    "differ in."
                )
        if options.monitor is None:
            raise ConfigurationError(
                "--monitor is missing: the metric that tells which trial is better, such as "
                "--monitor val_loss."
            )
        if options.trials is not None and options.trials < 1:
            raise ConfigurationError(f"--trials {options.trials}: give at least 1.")
        if any(word.partition("=")[0] in OF_ROOT for word in self._words):
            raise ConfigurationError(
                f"--{ROOT}: each trial has a folder of its own; use --output FOLDER for all."
            )

        search = HyperparameterSearch(
            ranges,
            options.monitor,
            options.mode or _mode_of(options.monitor),
            options.method,
            seed=options.trainer.seed or 0,
            storage=options.storage,
            output=options.output,
        )
        self._try_values(search)
        search.setup = self._setup(search)
        return search, options.trials

    def _try_values(self, search: HyperparameterSearch) -> None:
        """Refuse what the options do not take: every choice, and both ends of every range.

        Raises:
            ConfigurationError: The message begins with what is searched.
        """
        first = _first(search)
        for name, each in search.space.items():
            for value in each.ends:
                try:
                    self._parser.instantiate(self._options({**first, name: value}))
                except Exception as error:
                    if package_error(error) is None:
                        raise
                    reason = f"{SEARCH}{name}={each}: {package_error(error)}"
                    raise ConfigurationError(reason) from error

    def _setup(self, search: HyperparameterSearch) -> str:
        """Return what all trials have in common, without what may differ between calls."""
        options = self._options(_first(search))
        for name in (ROOT, "seed", *QUIET):
            options.trainer[name] = None
        return self._parser.config(options)

    def _options(self, values: Mapping[str, Any]) -> Namespace:
        return self._parser.parse([*self._words, *_options(values)])

    def _make(self, values: dict[str, Any], folder: str) -> tuple[Trainer, Task]:
        """Return the Trainer and the task of a trial."""
        options = self._options(values)
        config = self._parser.config(options)  # that a fit of its own goes by

        for name in QUIET:
            if not any(name in word for word in self._words):
                options.trainer[name] = False
        options.trainer[ROOT] = folder
        try:
            built = self._parser.instantiate(options)
        except Exception as error:
            raise (package_error(error) or error) from error
        built.trainer.add_callback(ConfigWriter(config))
        return built.trainer, built.task

    def _tell(self, result: SearchResult, has_failed: bool) -> int:
        print(result)
        written = result.files
        if result.best is not None:
            best = result.folder / BEST
            best.write_text(self._parser.config(self._options(result.best.values)), "utf-8")
            written.append(best)
        for path in written:
            print(f"written: {portable(str(path))}")
        if has_failed or result.best is None:
            print("lightning-tf tune: no trial came to its end.", file=sys.stderr)
            return FAILED
        print(f"fit it: lightning-tf fit --config {portable(str(written[-1]))}")
        return 0


def _first(search: HyperparameterSearch) -> dict[str, Any]:
    return {name: each.ends[0] for name, each in search.space.items()}


def _split(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words without ``--search.NAME TEXT``, and the texts by name."""
    others: list[str] = []
    texts: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith(SEARCH):
            others.append(word)
            continue
        name, equals, text = word.removeprefix(SEARCH).partition("=")
        text = text if equals else next(rest, "")
        if not text or text.startswith("--"):
            raise ConfigurationError(f"{SEARCH}{name} needs a range or choices.")
        texts[name] = text
    return others, texts


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the search section of a YAML file by long names."""
    flat: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _options(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"--{name}={value if isinstance(value, str) else json.dumps(value)}"


def _mode_of(monitor: str) -> str:
    """Return which way is better of a metric whose name says so.

    Raises:
        ConfigurationError: It does not.
    """
    if monitor.endswith("loss"):
        return "min"
    raise ConfigurationError(f"--mode is missing: whether --monitor {monitor} is to be max or min.")
