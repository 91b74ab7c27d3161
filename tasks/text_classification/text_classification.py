"""TextClassification: one class for each text."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import check_known, checked_fraction, checked_integer, is_number
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.batch_checks import watch_labels
from lightning_tf.data.pipeline.bounded_batches import bounded_batches
from lightning_tf.data.sources.new_examples import NewExamples, prediction_data
from lightning_tf.data.sources.options import merged_options
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.data.text.new_texts import new_texts
from lightning_tf.data.text.text_data import takes_class_names, text_data
from lightning_tf.data.text.text_spec import text_spec
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.prediction_columns import class_columns, named_columns
from lightning_tf.tasks.common.class_weights import ClassWeight, check_class_weight
from lightning_tf.tasks.common.classification_task import ClassificationTask, flat_labels
from lightning_tf.tasks.common.confusion_matrix import ConfusionMatrix
from lightning_tf.tasks.common.metrics import F1, Accuracy, AreaUnderCurve
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.text_classification.choose import choose_text_classifier
from lightning_tf.tasks.text_classification.export import export_text_classifier
from lightning_tf.tasks.text_classification.integrated_gradients import IntegratedGradients
from lightning_tf.tasks.text_classification.mistake_table import MistakeTable
from lightning_tf.tasks.text_classification.spelled_words import spelled_words
from lightning_tf.tasks.text_classification.text_explanation import TextExplanation
from lightning_tf.tasks.text_classification.texts_like import texts_like
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary


class TextClassification(ClassificationTask):
    """Learns which of several classes a text is of.

    The data give ``(texts, labels)``: strings in UTF-8, of any length, and integers. A network with
    a name of its own reads words: lower-case, of any script (see `Words`), numbered by a
    `Vocabulary` of the most frequent words of the training texts, which is a weight of the task and
    stands in its checkpoints. A keras-hub network brings its own tokenizer. Texts become numbers on
    the host, once, so that the step does not wait for strings.

    The loss is the softmax cross entropy in float32; label smoothing enters the training loss
    alone. Metrics: ``accuracy``, ``auc`` and ``f1`` (of class 1 where there are two classes, else
    means over classes). `predict_step` gives probabilities of shape (batch, classes), also of
    strings. The task brings along `MistakeTable` and `ConfusionMatrix` (up to 100 classes).

    Args:
        data: A name (``bbc_news``, ``imdb``, ``"tfds:<name>"``), a CSV, TSV or Parquet file, a
            folder of class folders of text files, ``(texts, labels)``, tf.data.Datasets or a
            DataModule; see `text_data`. None for a task from a checkpoint that is only asked.
        network: ``bag_of_words``, ``embedding_bag`` (the same in fewer operations, rounded
            otherwise), ``convolution``, ``lstm``, ``gru``, ``bidirectional_lstm`` or
            ``bidirectional_gru``; ``"keras_hub:<preset or folder>"``; ``"hub:<URL or folder>"`` of
            a text embedding of TensorFlow Hub; a keras-hub TextClassifier; or a Keras model with
            one output for each class, whose input is strings of shape (batch,) or else the numbers
            of words, int32 of shape (batch, length), 0 at padding.
        batch_size: Texts in a global batch; None is the data's own, 32.
        data_dir: Where the files of a named data set are.
        data_options: Further options of `text_data`, such as ``{"text_column": "review"}``.
        class_names: The classes in the order of their labels; None takes what the data have. A
            checkpoint holds them.
        vocabulary_size: Numbers that words can have, padding and unknown words among them.
        max_length: Words (tokens of a keras-hub network) of a text that are read, from its
            beginning; None is all for the bags, 400 for convolution, 250 for the recurrent
            ones, the preset's own number for keras-hub.
        ngrams: For the bags: runs of up to that many words are words too.
        embedding_size: Values for each word, for a named network.
        units: Filters of each width, or states, for a named network; values of the hidden layer
            behind a text embedding.
        dropout: Rate before the logits of both; None is 0.5.
        pooling: For ``"keras_hub:<preset>"``: ``mean``, ``cls`` or ``max`` of the last layer's
            tokens, as sentence encoders were trained; None is the preset's own head.
        train: ``all`` of the network, or the ``head`` alone of a keras-hub network or a text
            embedding.
        optimizer: A name (adam, adamw, sgd, ...), a pair of name and options, a Keras optimizer or
            its configuration.
        learning_rate: At the start, or after the warm-up; None is the optimizer's default; for adam
            and adamw 5e-3 with the bags and 5e-5 with keras-hub networks.
        schedule: As for `ImageClassification`; None is cosine, or constant where nobody knows the
            length of the fit.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0.
        weight_decay: Decoupled, biases and normalisation spared.
        label_smoothing: Share of each training label that is spread over all classes.
        class_weight: ``balanced``, or a weight by class, for the training loss alone; see
            `class_weights`.
        sampling: ``balanced`` draws every class equally often in an epoch, which has as many
            examples as without; see `balanced_order`.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options contradict each
            other.

    Example:
        >>> from lightning_tf import Trainer
        >>> task = TextClassification("bbc_news", "bag_of_words", learning_rate=5e-3)
        >>> trainer = Trainer(max_epochs=10, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_accuracy"]
        >>> task.export("exported")
    """

    input_kind = "text"
    texts: DataModule | None

    def __init__(
        self,
        data: Any = "bbc_news",
        network: Any = "bag_of_words",
        *,
        batch_size: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        data_options: Mapping[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
        vocabulary_size: int = 20_000,
        max_length: int | None = None,
        ngrams: int = 1,
        embedding_size: int = 64,
        units: int = 64,
        dropout: float | None = None,
        pooling: str | None = None,
        train: str = "all",
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float = 0,
        weight_decay: float | None = None,
        label_smoothing: float = 0.0,
        class_weight: ClassWeight = None,
        sampling: str | None = None,
    ) -> None:
        # The kind of network is chosen here and nowhere else.
        self.classifier = choose_text_classifier(
            network,
            vocabulary_size=vocabulary_size,
            max_length=max_length,
            ngrams=ngrams,
            embedding_size=embedding_size,
            units=units,
            dropout=dropout,
            pooling=pooling,
            train=train,
        )
        self.optimizer_settings = OptimizerSettings(
            optimizer,
            learning_rate,
            schedule,
            warmup_steps,
            weight_decay,
            default_rate=self.classifier.learning_rate,
        )
        self.label_smoothing = checked_fraction("label_smoothing", label_smoothing)
        check_class_weight(class_weight, sampling)
        self.class_weight = class_weight

        self.class_names = None if class_names is None else [str(name) for name in class_names]
        options = merged_options(
            data_options, batch_size=batch_size, data_dir=data_dir, sampling=sampling
        )
        self._text_options = dict(options)
        if takes_class_names(data):
            options["class_names"] = self.class_names
        self.texts = None if data is None else text_data(data, **options)
        if self.texts is not None:
            self.data = self.classifier.encode_data(self.texts)

        if not isinstance(data, (str, DataModule, type(None))):
            # Lists of texts are plain data, but whole data sets have no place in a checkpoint.
            path = isinstance(data, os.PathLike)
            self.hparams["data"] = os.fspath(data) if path else {"type": "builtins.tuple"}

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return texts to evaluate or predict: what `data` takes; for prediction texts alone, too.

        Of pairs, tables and datasets all texts are taken, of other sources those of the stage.
        """
        batch_size = 32 if self.data is None else self.data.batch_size
        is_name = isinstance(data, str) and not os.path.exists(data)
        if stage == "predict" and not is_name:
            texts = new_texts(Path(data) if isinstance(data, str) else data, **self._reading())
            if texts is not None:
                return prediction_data(texts, batch_size)
        if self.class_names is None:
            raise ConfigurationError(
                "the task does not know its classes yet: fit it, or take it from a checkpoint."
            )
        return self.classifier.encode_data(texts_like(self, data, self._text_options))

    def new_examples(
        self,
        data: Any,
        *,
        text_column: str | None = None,
        encoding: str | None = None,
        sep: str | None = None,
        quoting: bool | None = None,
    ) -> NewExamples:
        """Return texts to predict.

        Args:
            data: A text, or a list, an array or a Series of texts; a table with a column of texts;
                a `Path` of a text file, whose lines are texts, or of a folder of text files; or
                batches of texts.
            text_column: The column of a table; None is that of the task's own.
            encoding: Of files; None is that of the task's own.
            sep: Between the fields of a CSV or TSV file; None is as of the task's own.
            quoting: Whether quotation marks enclose them; None is as of the task's own.

        Raises:
            DataError: There is none, a file or column is missing, or a cell is no text.
        """
        given = {"text_column": text_column, "encoding": encoding, "sep": sep, "quoting": quoting}
        chosen = {name: value for name, value in given.items() if value is not None}
        texts = new_texts(data, **{**self._reading(), **chosen})
        if texts is not None:
            return texts
        are_numbers = isinstance(data, list) and all(map(is_number, tf.nest.flatten(data)))
        if are_numbers or (isinstance(data, np.ndarray) and data.dtype.kind in "iufb"):
            raise DataError(f"the texts are numbers, {data!r:.80}; give texts.")
        return super().new_examples(data)

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return label, class and probabilities of each text."""
        return named_columns(names, class_columns(outputs, self.class_names or ()))

    def _reading(self) -> dict[str, Any]:
        """Return how the task's own table was read."""
        known = ("text_column", "encoding", "sep", "quoting")
        return {name: self._text_options[name] for name in known if name in self._text_options}

    @classmethod
    def predicts_without_data(cls, run: Mapping[str, Any]) -> bool:
        """Return whether a checkpoint holds the classes."""
        return bool(run["hparams"].get("class_names"))

    def setup(self, stage: str) -> None:
        """Learn the classes from the data; checkpoints and loggers get them."""
        self._learn_classes()
        if self.texts is not None and stage != "predict":
            watch_labels(self.texts, lambda: len(self.class_names or ()))

    def configure_model(self) -> None:
        """Build the network, as `model`, to the classes; its vocabulary is empty until a fit."""
        self._learn_classes()
        num_classes = len(self.class_names or ())
        self.built = self.classifier.build(num_classes)
        self.model, self.vocabulary = self.built.model, self.built.vocabulary
        self.set_classes(num_classes)

    def labelled_data(self) -> DataModule | None:
        """Return the texts, not their encoded form."""
        return self.texts

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit.

        A vocabulary that no checkpoint has filled is filled here, from training texts alone.
        """
        if self.vocabulary is not None and not self.vocabulary.is_fitted:
            self._fit_vocabulary(self.vocabulary)
        return super().configure_optimizers()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Make accuracy, area under the ROC curve and F1."""
        return {
            "accuracy": Accuracy(),
            "auc": AreaUnderCurve(self.num_classes),
            "f1": F1(self.num_classes),
        }

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean cross entropy, and what the model's layers add."""
        labels = flat_labels(batch[1])  # (batch,)
        logits = self._logits(batch[0], training=True)  # (batch, classes)
        self.update_metrics(labels, logits)
        targets = tf.one_hot(labels, self.num_classes, dtype=tf.float32)
        return self.training_loss(targets, logits)

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean cross entropy; update the confusion counts."""
        labels = flat_labels(batch[1])
        return self.validation_loss(labels, self._logits(batch[0], training=False))

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return probabilities of shape (batch, classes) of texts, encoded or strings."""
        texts = batch[0] if isinstance(batch, tuple) else batch
        texts = tf.constant(texts) if isinstance(texts, list) else texts
        return tf.nn.softmax(self._logits(texts, training=False))

    def explain(
        self, texts: str | Sequence[str], class_name: str | None = None, *, steps: int = 32
    ) -> list[TextExplanation]:
        """Return how much each word of texts spoke for a class, by integrated gradients.

        Args:
            texts: One or several.
            class_name: The class to explain; None is the most probable one of each text.
            steps: Of the integral (see `IntegratedGradients`); more are nearer and take longer.

        Returns:
            An explanation for each text, which a notebook shows as the colored text.

        Raises:
            ConfigurationError: The class is unknown, or the network does not look up words in one
                Embedding, such as those of keras-hub and TensorFlow Hub.

        Example:
            >>> task.explain("A fine film.")[0].strongest(1)
            [('fine', 2.1)]
        """
        if getattr(self, "built", None) is None:
            raise ConfigurationError(
                "there is no model yet: fit the task, or take it from a checkpoint."
            )
        if class_name is not None:
            check_known(f"class_name={class_name!r}", class_name, self.class_names or ())
        gradients = IntegratedGradients(self, checked_integer("steps", steps, least=1))
        several = [texts] if isinstance(texts, str) else texts
        return [gradients.explain(text, class_name) for text in several]

    def callbacks(self) -> list[Callback]:
        """Bring a table of mistakes and a confusion matrix."""
        return [MistakeTable(), ConfusionMatrix()]

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel from strings to labels; see `export_text_classifier`."""
        export_text_classifier(self, path)

    def _logits(self, texts: Any, training: bool) -> tf.Tensor:
        if not isinstance(texts, dict) and texts.dtype == tf.string:
            texts = self.classifier.encode(texts)  # not encoded by the input pipeline
        return self.built.logits(texts, training)

    def _learn_classes(self) -> None:
        """Take the names of the classes from the data; a task without data has them already."""
        if self.texts is None:
            if self.class_names is None:
                raise ConfigurationError(
                    "data is None; give data to learn from, or class_names for a task that is only "
                    "asked."
                )
            return

        if self.class_names is None or self._trainer is not None:
            self.class_names = text_spec(self.texts, self.class_names).class_names
            self.hparams["class_names"] = self.class_names

    def _fit_vocabulary(self, vocabulary: Vocabulary) -> None:
        words, data = self.classifier.words, self.data
        texts: Any = self.texts
        rows = data.training_rows() if isinstance(data, EncodedTexts) else None
        if isinstance(data, EncodedTexts) and rows is not None:
            # Training reads the same rows: no text is split twice, but those that spell a word.
            vocabulary.fit_rows(rows.values, partial(spelled_words, words, data, rows.ends))
            return

        # Every worker reads the whole of a pipeline that cannot be read by index.
        batches = bounded_batches(texts.dataset_for("train"), "the vocabulary is that")
        vocabulary.fit(words, (tf.constant(batch[0]) for batch in batches))
