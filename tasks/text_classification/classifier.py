"""TextClassifier: a network for texts that is still to be built to the classes of its data."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.built_classifier import BuiltClassifier, gives_probabilities
from lightning_tf.tasks.networks.text.build import TEXT_NETWORKS, build_text_network
from lightning_tf.tasks.networks.text.layers import TextLayers
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words


@dataclass(frozen=True)
class BuiltTextClassifier(BuiltClassifier):
    """A model of encoded texts.

    Attributes:
        vocabulary: Numbers the words for the model; None where it takes something else.
    """

    vocabulary: Vocabulary | None = None

    def inputs(self, texts: Any) -> Any:
        """Return numbers of words, or the encoded texts as they are."""
        return texts if self.vocabulary is None else self.vocabulary(texts)


class TextClassifier:
    """Base of the kinds of network: takes texts as they are, unless a kind encodes them.

    `choose_text_classifier` makes one of what a user names. A kind overrides `make_model`, and what
    else differs.

    Attributes:
        learning_rate: Default for Adam and its kin; None is the optimizer's own.
        words: Splits texts for the vocabulary of a kind that has one.
        reads: What the model takes, for messages.
        is_ordered: Whether the order of words counts.
        is_pretrained: Whether a head alone can train.
        takes_pooling: Whether `pooling` chooses the head.
        is_tried: Whether `build` runs the model once, to see what it takes and gives.
    """

    learning_rate: float | None = None
    words: Words
    reads: ClassVar[str] = "texts"
    is_ordered: bool = True
    is_pretrained: ClassVar[bool] = False
    takes_pooling: ClassVar[bool] = False
    is_tried: ClassVar[bool] = False

    def encode_data(self, texts: DataModule) -> DataModule:
        """Return the batches of texts as this network's input pipeline gives them."""
        return texts

    def encode(self, texts: tf.Tensor) -> Any:
        """Encode strings of shape (batch,), in a step or a SavedModel."""
        return texts

    def make_model(self, num_classes: int) -> keras.Model:
        """Make the model, from encoded texts to (batch, classes)."""
        raise NotImplementedError

    def make_vocabulary(self) -> Vocabulary | None:
        """Make an empty vocabulary, for a network that reads words."""
        return None

    def build(self, num_classes: int) -> BuiltTextClassifier:
        """Make the model, and the vocabulary where it reads words.

        Raises:
            ConfigurationError: The model takes other input or does not give one number for each
                class.
        """
        vocabulary = self.make_vocabulary()
        model = self.make_model(num_classes)
        built = BuiltTextClassifier(model, gives_probabilities(model), vocabulary=vocabulary)
        if self.is_tried:
            self._try(built, num_classes)
        return built

    def export_resources(self) -> dict[str, Any]:
        """Return what a SavedModel must hold beside variables, by the name that it gets there."""
        return {}

    def _try(self, built: BuiltTextClassifier, num_classes: int) -> None:
        name = built.model.name
        try:
            shape = built.logits(self.encode(tf.constant(["a text"])), training=False).shape
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ConfigurationError(
                f"network {name!r} cannot take {self.reads}: {error}"
            ) from error
        if tuple(shape) != (1, num_classes):
            raise ConfigurationError(
                f"network {name!r} gives an output of shape {(None, *tuple(shape)[1:])}; it must "
                f"give one logit for each of {num_classes} classes: (None, {num_classes})."
            )


class StringModel(TextClassifier):
    """A Keras model of somebody else whose input is strings of shape (batch,).

    Args:
        model: Gives (batch, classes).
    """

    is_tried = True

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def make_model(self, num_classes: int) -> keras.Model:
        """Return the model."""
        return self.model


class WordClassifier(TextClassifier):
    """Base of the networks that read the numbers of words in a `Vocabulary`.

    Args:
        words: Splits texts.
        vocabulary_size: How many words have a number of their own.
        max_length: Words of a text that are read; None reads all.
    """

    reads = "numbers of words"

    def __init__(self, words: Words, vocabulary_size: int, max_length: int | None) -> None:
        self.words, self.vocabulary_size, self.max_length = words, vocabulary_size, max_length

    def encode_data(self, texts: DataModule) -> DataModule:
        """Return batches of words' fingerprints, which every text gets once for all epochs."""
        return EncodedTexts(texts, self.words, max_length=self.max_length)

    def encode(self, texts: tf.Tensor) -> tf.Tensor:
        """Return fingerprints of words, int64 of shape (batch, length), 0 at padding."""
        return self.words.padded(texts, self.max_length)

    def make_vocabulary(self) -> Vocabulary:
        """Make an empty vocabulary, which the first fit fills."""
        return Vocabulary(self.vocabulary_size)


class WordModel(WordClassifier):
    """A Keras model of somebody else whose input is numbers of words.

    Args:
        model: From int32 of shape (batch, length), 0 at padding, to (batch, classes).
        words: As of `WordClassifier`.
        vocabulary_size: As of `WordClassifier`.
        max_length: As of `WordClassifier`.
    """

    is_tried = True

    def __init__(
        self, model: keras.Model, words: Words, vocabulary_size: int, max_length: int | None
    ) -> None:
        super().__init__(words, vocabulary_size, max_length)
        self.model = model

    def make_model(self, num_classes: int) -> keras.Model:
        """Return the model."""
        return self.model


class NamedText(WordClassifier):
    """A network of `TEXT_NETWORKS`.

    Args:
        name: Its name.
        words: As of `WordClassifier`.
        vocabulary_size: As of `WordClassifier`.
        max_length: Words of a text that are read; None is the network's default.
        embedding_size: Values for each word.
        units: Of the hidden layer.
        dropout: The rate before the logits; None is the network's default.
    """

    def __init__(
        self,
        name: str,
        words: Words,
        vocabulary_size: int,
        max_length: int | None,
        *,
        embedding_size: int,
        units: int,
        dropout: float | None,
    ) -> None:
        defaults = TEXT_NETWORKS[name]
        max_length = defaults.max_length if max_length is None else max_length
        super().__init__(words, vocabulary_size, max_length)
        self.name, self.learning_rate = name, defaults.learning_rate
        self.is_ordered = defaults.ordered
        dropout = defaults.dropout if dropout is None else dropout
        self.layers = TextLayers(vocabulary_size, embedding_size, units, dropout)

    def make_model(self, num_classes: int) -> keras.Model:
        """Build the network."""
        return build_text_network(self.name, num_classes, self.layers)
