"""DataModule: where the batches of a task come from."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.argument_names import argument_names
from lightning_tf.data.named_sets import NamedSets, by_name, named_sets
from lightning_tf.data.pipeline.combined_sets import combined_sets
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.data.source_positions import SourcePositions
from lightning_tf.data.sources.stream_batches import is_stream
from lightning_tf.data.stream_sources import StreamSources
from lightning_tf.data.worker_shares import SHARED_STAGES, WorkerShares
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.workers import SINGLE_WORKER, Workers
from lightning_tf.exceptions import ConfigurationError, DataError, UnknownArgumentError, nearest


class DataModule:
    """Batches for training, validation, test and prediction.

    A subclass overrides the four dataset methods it has data for; the others keep returning None,
    which means "there is none". A subclass may also hide an inherited one with
    ``self.val_dataset = None``. `val_dataset`, `test_dataset` and `predict_dataset` may return a
    dict or a list of data sets: each is run by itself, and its name stands in its metrics' names.
    `train_dataset` may too: these are combined, see `combine`.

    Attributes may be set before or after `super().__init__()`, and a subclass that never calls it
    gets the class's defaults.

    Every dataset is a batched `tf.data.Dataset` of global batches: with N replicas each sees about
    ``batch_size / N`` examples. An element is what the task's steps take, most often a pair
    ``(x, y)`` with ``x`` of shape (batch, ...) and ``y`` of shape (batch,). The Trainer reads a
    pipeline ahead: one that does not end with ``prefetch`` is given a queue that tf.data sizes.

    Attributes:
        batch_size: Examples in a global batch.
        combine: How several training sets make batches together, in the words of Lightning's
            CombinedLoader. ``max_size_cycle`` ends with the longest set and begins the others
            anew, ``min_size`` ends with the shortest, ``max_size`` ends with the longest and gives
            batches of 0 examples of those that are exhausted: of each, a step gets a dict (or list)
            of a batch of every set. ``sequential`` gives one set after the other: a step gets a
            pair of a batch and its set's place, an int32 scalar.
        seed: Decides the order of training examples. None follows the Trainer's seed.
        split_seed: Decides which examples are held out; apart from `seed`, so that runs with
            different seeds are measured on the same examples.
        trainer_seed: The seed of the Trainer that uses this data; the Trainer sets it.
        workers: The processes that load this data together; one alone outside of a Trainer.
        resume_by: How a resumed run comes back to its place in training data of `tf.data`:
            ``"skip"`` computes the batches before it and drops them; ``"iterator"`` keeps the
            pipeline's state in the checkpoint, with what waits in shuffle buffers. What Python
            makes cannot be kept so, and is skipped. Of no meaning for what is read by index, and
            for sources of Grain, which have states of their own.
        steps_per_epoch: Training batches of an epoch, as in Keras' fit: the next epoch goes on in
            the data, and where these end an epoch has fewer. None is all of them.
        batch_check: Set by a task: from the stage and the parts of a batch to the batch, mapped
            over what the dataset methods return, so that a bad label is an error and not a number.

    Args:
        batch_size: Examples in a global batch, at least 1.
        seed: See the attribute.

    Raises:
        ConfigurationError: `batch_size` or `seed` is no integer or out of range.

    Example:
        >>> class Noise(DataModule):
        ...     def train_dataset(self, epoch):
        ...         order = np.random.RandomState([self.order_seed, epoch]).permutation(100)
        ...         return tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)
        >>> len(Noise(batch_size=20).train_dataset(epoch=0))
        5
    """

    batch_size: int = 32
    combine: str = "max_size_cycle"
    seed: int | None = None
    split_seed: int = 0
    trainer_seed: int = 0
    workers: Workers = SINGLE_WORKER
    resume_by: str = "skip"
    steps_per_epoch: int | None = None
    batch_check: Callable[..., Any] | None = None
    _is_prepared: bool = False
    _set_up_for: frozenset[str] = frozenset()
    _shares: WorkerShares | None = None
    _opened_streams: StreamSources | None = None
    # Where `**options` of the constructor go, if not to the next base.
    _options_of: type | None = None

    if not TYPE_CHECKING:  # type checkers would take every argument for a known one

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """Refuse unknown arguments by name; a base's own error would name the base."""
            known = argument_names(cls)
            for name in kwargs:
                if known is not None and name not in known:
                    raise UnknownArgumentError(
                        f"{cls.__name__} has no argument {name!r}.{nearest(name, known)}"
                    )
            return super().__new__(cls)

    def __init__(self, batch_size: int = 32, seed: int | None = None) -> None:
        """Check and keep the arguments."""
        self.batch_size = checked_integer("batch_size", batch_size, least=1)
        self.seed = None if seed is None else checked_integer("seed", seed, least=0)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep what follows from a `train_dataset` true to one that a subclass overrides alone.

        An inherited shortcut knows nothing of the override: resuming would take other batches, and
        so would several workers.
        """
        super().__init_subclass__(**kwargs)
        if "train_dataset" in vars(cls) and "train_dataset_from" not in vars(cls):
            cls.train_dataset_from = DataModule.train_dataset_from  # type: ignore[method-assign]
        for stage in SHARED_STAGES:
            whole, share = f"{stage}_dataset", f"{stage}_shard"
            if whole in vars(cls) and share not in vars(cls):
                setattr(cls, share, getattr(DataModule, share))
            if share in vars(cls) and whole not in vars(cls):
                setattr(cls, whole, getattr(DataModule, whole))

    # ---- what a subclass fills in

    def prepare_data(self) -> None:
        """Download or convert; called once per machine, so keep no state here."""

    def setup(self, stage: str) -> None:
        """Load and split; called once per instance and stage (fit, validate, test, predict)."""

    def teardown(self, stage: str) -> None:
        """Release what `setup` took; called at the end of an entry point, also after an error.

        Where a class overrides it, `setup` is called again by the next entry point.
        """

    def on_exception(self, exception: BaseException) -> None:
        """Run when an exception, Ctrl-C included, leaves an entry point; before `teardown`."""

    def explain_error(self, error: Exception) -> DataError | None:
        """Return what is wrong with the data where an entry point ends with this error.

        It is raised in the place of an error that only names an operation of a pipeline. None means
        that the error says all there is.
        """
        return None

    def train_dataset(self, epoch: int) -> Any:
        """Return one epoch's training batches, in an order that only (seed, epoch) decides.

        Of several sets a dict or list: a step gets a batch of each at once, as `combine` says.
        Several workers must return the same: each computes with its rows of every batch.
        """
        return self.train_shard(epoch, 0, 1)

    def train_shard(self, epoch: int, worker: int, count: int) -> tf.data.Dataset | None:
        """Return one worker's own training batches of an epoch, where workers share no records.

        A class that defines it needs no `train_dataset`; if it has one, this is what is read. A
        batch is the worker's rows of a global batch: ``batch_size // count`` of them. Step n takes
        the n-th batch of every worker together, whatever their sizes, and each example counts the
        same in it. Shares may end at different batches: a worker that is done waits with rows
        that do not count, until the last one is done, so that every record counts once.

        Whatever is learned from the data before training is learned from worker 0 of 1.

        Args:
            epoch: The epoch, which with the seed decides the order.
            worker: Whose records, from 0.
            count: Among how many workers the records are shared out; 1 wants all of them.

        Example:
            >>> def train_shard(self, epoch, worker, count):
            ...     files = tf.data.Dataset.from_tensor_slices(self.files).shard(count, worker)
            ...     records = files.interleave(tf.data.TFRecordDataset)
            ...     return records.map(self.decode).batch(self.batch_size // count)
        """
        return None

    def train_dataset_from(self, epoch: int, batch: int) -> tf.data.Dataset | None:
        """Return the batches of `train_dataset(epoch)` from number `batch` on, to resume a run.

        The default skips batches, which computes and drops them; of several data sets no more than
        where each of them goes on. A source that shuffles indices overrides it to drop indices,
        which costs nothing; one of several data sets returns them combined, which `super` does.
        """
        returned = self.train_dataset(epoch)
        if batch == 0:
            return returned
        is_one_stream = is_stream(returned)
        returned = self._stream_sources.replaced("train", returned, epoch, batch)
        if is_one_stream:
            return returned
        sets = named_sets(f"{type(self).__name__}.train_dataset", returned)
        if isinstance(sets, dict):
            return self._combined(sets, batch)
        return None if sets is None else sets.skip(batch)

    def val_dataset(self) -> Any:
        """Return the validation batches, the same in every epoch; of several sets a dict or list.

        Example:
            >>> def val_dataset(self):  # gives val_clean_loss and val_noisy_loss
            ...     return {"clean": self.batches("clean"), "noisy": self.batches("noisy")}
        """
        return self.val_shard(0, 1)

    def val_shard(self, worker: int, count: int) -> Any:
        """Return one worker's own validation batches, see `train_shard`; of several sets each."""
        return None

    def test_dataset(self) -> Any:
        """Return the test batches; of several sets a dict or list."""
        return self.test_shard(0, 1)

    def test_shard(self, worker: int, count: int) -> Any:
        """Return one worker's own test batches, see `train_shard`; of several sets each."""
        return None

    def predict_dataset(self) -> Any:
        """Return the batches to predict, in the order of the results; labels are not needed."""
        return None

    # ---- what a checkpoint holds of the data

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know of the data: a curriculum's position, a buffer.

        Every save calls it. The order of an epoch and the position in it are no part of it: they
        follow from (seed, epoch) and the batch. What a hook decides belongs here; what reading
        changes does not, as batches are read ahead.

        Returns:
            As of `Task.state_dict`: plain data and arrays.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; not called where that was empty.

        Every entry point with a `ckpt_path` calls it before `setup`, and so does
        `Task.from_checkpoint`; a fit with ``weights_only=True`` begins the data anew.

        Raises:
            ConfigurationError: The class has no way to take it.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no load_state_dict, but the checkpoint holds "
            f"{', '.join(state)} of the data that wrote it; write one that takes them."
        )

    def take_fold(self, fold: Fold) -> None:
        """Validate on a fold of the training examples, for a cross-validation; before `setup`.

        Args:
            fold: Says which examples these are.

        Raises:
            ConfigurationError: The data cannot be read by index.
        """
        raise ConfigurationError(
            f"{type(self).__name__} cannot be cut into folds, as it gives batches; give arrays, a "
            "folder or a table, or override take_fold."
        )

    # ---- what the Trainer and sources call

    def ensure_setup(self, stage: str) -> None:
        """Call `prepare_data` and `setup` where that is still to be done.

        This object knows what it is set up for, whichever Trainers use it. Every worker calls it.

        Args:
            stage: fit, validate, test or predict.
        """
        if not self._is_prepared:
            is_first = self.workers.is_first_on_host
            self.workers.unless_one_fails(lambda: self.prepare_data() if is_first else None)
            self._is_prepared = True

        if stage not in self._set_up_for:
            self.setup(stage)
            self._set_up_for |= {stage}

    def release(self, stage: str) -> None:
        """Call `teardown`, after which a class that overrides it is set up for nothing.

        Args:
            stage: fit, validate, test or predict.
        """
        if getattr(self.teardown, "__func__", None) is not DataModule.teardown:
            self._set_up_for = frozenset()  # also for other stages: they may share what is released
        self.teardown(stage)

    @property
    def order_seed(self) -> int:
        """Return what the order of an epoch is drawn from: `seed`, or the Trainer's where None."""
        return self.trainer_seed if self.seed is None else self.seed

    def join(self, workers: Workers) -> None:
        """Take part in what several workers do together, such as a look at every file.

        The Trainer calls it on every worker when an entry point begins, and with one worker alone
        when it ends: then what a program asks of its data waits for nobody. A module that wraps
        another hands it on.

        Args:
            workers: Those that call; every worker calls it.
        """
        self.workers = workers

    def dataset_for(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> Any:
        """Return the dataset of a stage, a dict of several (of training one), or None without any.

        Args:
            stage: train, val, test or predict.
            epoch: The epoch, for train.
            batch: The first batch wanted, for train.
            input_shard: What a worker reads of every batch, where there are several. The pipeline
                is read whole and cut; sources that are read by index read the shard only.

        Raises:
            DataError: The dataset method returned something else than `tf.data.Dataset`s.
        """
        # Where a GPU computes, arrays would become constants in its memory.
        with tf.device("/CPU:0"):
            return self._dataset_on_host(stage, epoch, batch, input_shard)

    def _dataset_on_host(
        self, stage: str, epoch: int, batch: int, input_shard: InputShard | None
    ) -> Any:
        method = getattr(self, f"{stage}_dataset")
        if method is None:
            return None

        if self.reads_shares(stage):
            return self._combined_shares(stage, epoch, batch, input_shard)

        # From its start by `train_dataset` itself, which a subclass may override alone.
        if stage != "train":
            dataset = method()
        else:
            dataset = method(epoch) if batch == 0 else self.train_dataset_from(epoch, batch)

        prepare = partial(self._prepared, stage, input_shard)
        dataset = self._stream_sources.replaced(stage, dataset, epoch, batch)
        sets = named_sets(f"{type(self).__name__}.{stage}_dataset", dataset)
        if not isinstance(sets, dict):
            return None if sets is None else prepare(sets)
        if stage != "train":
            return {name: prepare(each, name) for name, each in sets.items()}

        owner = type(self).__name__
        if batch:
            raise DataError(
                f"{owner}.train_dataset_from returned several data sets: which batches are left of "
                "each only their combination tells; leave the method out, or return that."
            )
        if self.batch_check is not None:
            raise DataError(
                f"{owner}.train_dataset returned several data sets, and the task's training_step "
                "takes the batches of one; join them with tf.data.Dataset.concatenate or "
                "sample_from_datasets."
            )
        return prepare(self._combined(sets))

    def reads_shares(self, stage: str) -> bool:
        """Return whether a subclass says which records of a stage are whose: `train_shard`."""
        share = f"{stage}_shard"
        is_inherited = getattr(type(self), share, None) is getattr(DataModule, share, None)
        return stage in SHARED_STAGES and not is_inherited

    def _combined_shares(
        self, stage: str, epoch: int, batch: int, input_shard: InputShard | None
    ) -> Any:
        """Return what a worker reads of a stage by shares; without an `input_shard` all of it."""
        make = partial(self._share, stage, epoch)
        if input_shard is None:
            return make(batch, 0, 1)
        return self._worker_shares().combine(stage, make, batch)

    def _share(self, stage: str, epoch: int, batch: int, worker: int, count: int) -> Any:
        method = getattr(self, f"{stage}_shard")
        returned = method(epoch, worker, count) if stage == "train" else method(worker, count)
        what = f"{type(self).__name__}.{stage}_shard"
        if batch:
            returned = returned.skip(batch) if not is_stream(returned) else returned
        sets = named_sets(what, self._stream_sources.replaced(stage, returned, epoch, batch))
        if not isinstance(sets, dict):
            return None if sets is None else self._with_checks(stage, sets)
        if stage != "train":
            return {name: self._with_checks(stage, each) for name, each in sets.items()}
        raise DataError(
            f"{what} returned several data sets; return one, such as tf.data.Dataset.zip of them, "
            "or combine whole ones in train_dataset."
        )

    def position_at(self, epoch: int, batch: int) -> str | None:
        """Return the state of this worker's source before a training batch, for a checkpoint.

        None where the data begin at any batch without one, or where nobody has noted it.
        """
        return self.positions.at(epoch, batch)

    def take_position(self, epoch: int, batch: int, state: str) -> None:
        """Go on from a state that `position_at` returned, where this batch is asked for."""
        self.positions.note(epoch, batch, state)

    def reads_before(self, epoch: int, batch: int) -> bool:
        """Return whether training from a batch on reads what is before it, and drops it.

        Not where indices are dropped instead, or the source knows its position there.
        """
        if self.is_stream:
            return self._stream_sources.reads_before(epoch, batch)
        skips = type(self).train_dataset_from is DataModule.train_dataset_from
        return skips or self.reads_shares("train")

    @property
    def is_stream(self) -> bool:
        """Whether training batches come from a source that knows its position, or by index."""
        return self._stream_sources.gives_training

    @property
    def positions(self) -> SourcePositions:
        """Where the sources of training batches stand; for checkpoints."""
        return self._stream_sources.positions

    @property
    def _stream_sources(self) -> StreamSources:
        if self._opened_streams is None:  # a subclass may never call `__init__`
            self._opened_streams = StreamSources(type(self).__name__)
        return self._opened_streams

    def _worker_shares(self) -> WorkerShares:
        if self._shares is None or self._shares.workers is not self.workers:
            self._shares = WorkerShares(type(self).__name__, self.workers, self.batch_size)
        return self._shares

    def _combined(self, sets: NamedSets, start: int = 0) -> tf.data.Dataset:
        return combined_sets(sets, self.combine, f"{type(self).__name__}.train_dataset", start)

    def sets_for(
        self, stage: str, input_shard: InputShard | None = None
    ) -> dict[str | int | None, tf.data.Dataset]:
        """Return a stage's data sets apart, by name, those of epoch 0's training too.

        One alone has the name None; where the stage has none, the dict is empty.
        """
        method = getattr(self, f"{stage}_dataset")
        if stage == "train" and method is not None:
            returned = self._stream_sources.replaced(stage, method(0), 0, 0)
            sets = named_sets(f"{type(self).__name__}.train_dataset", returned)
            if isinstance(sets, dict):
                return {n: self._prepared(stage, input_shard, each, n) for n, each in sets.items()}
        sets = self.dataset_for(stage, input_shard=input_shard)
        return {} if sets is None else by_name(sets)

    def _prepared(
        self,
        stage: str,
        input_shard: InputShard | None,
        dataset: tf.data.Dataset,
        name: str | int | None = None,
    ) -> tf.data.Dataset:
        """Return a data set's batches, checked and cut to what a worker reads."""
        dataset = self._with_checks(stage, dataset)
        if input_shard is None:
            return dataset
        self._worker_shares().refuse_different(stage, dataset, name)
        return input_shard.cut(dataset)

    def _with_checks(self, stage: str, dataset: tf.data.Dataset) -> tf.data.Dataset:
        if self.batch_check is None or stage == "predict":
            return dataset
        return dataset.map(partial(self.batch_check, stage))
