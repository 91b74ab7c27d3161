"""TextClassifier: what a user names as `network`, made into a Keras model for texts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.layers.hub_layer import HUB_PREFIX, saved_model_handle
from lightning_tf.tasks.common.keras_hub_classifier import PREFIX, is_from_keras_hub
from lightning_tf.tasks.image_classification.classifier import (
    SMALLEST_PROBABILITY,
    gives_probabilities,
)
from lightning_tf.tasks.networks.text.build import TEXT_NETWORKS, build_text_network
from lightning_tf.tasks.networks.text.layers import TextLayers
from lightning_tf.tasks.text_classification.hub_text import HubText
from lightning_tf.tasks.text_classification.keras_hub_text import KerasHubText
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words

FINE_TUNING_RATE = 5e-5  # of the rates in Devlin et al., 2019, appendix A.3
OWN_OPTIONS = {"embedding_size": 64, "units": 64, "dropout": None}
HUB_DROPOUT = 0.5
TRAINED = ("all", "head")


class TextClassifier:
    """A network that is still to be built to the classes of its data.

    There are three ways into a network. A named one, and a Keras model whose input is no string,
    reads the numbers of words in a `Vocabulary`. A keras-hub classifier reads what its own
    tokenizer gives. A SavedModel, and a Keras model whose input is strings, get the texts as they
    are.

    Args:
        network: A name of `TEXT_NETWORKS`; a Keras model with one output for each class, logits
            or, after a softmax, probabilities; ``"keras_hub:<preset>"``; a keras-hub
            TextClassifier; or a SavedModel's folder or URL, bare or after ``"hub:"``.
        vocabulary_size: How many words have a number of their own.
        max_length: Words (tokens) of a text that are read.
        ngrams: Runs of up to that many words count as words, where their order does not.
        embedding_size: Values for each word, for a named network.
        units: Of the hidden layer, for a named network or a SavedModel.
        dropout: The rate before the logits, for the same.
        pooling: See `KerasHubText`.
        train: ``all``, or the ``head`` alone of a pretrained network.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or a network that brings
            its own layers is given options for them.

    Example:
        >>> TextClassifier("gru", units=32).max_length
        250
    """

    def __init__(
        self,
        network: Any,
        *,
        vocabulary_size: int = 20_000,
        max_length: int | None = None,
        ngrams: int = 1,
        embedding_size: int = 64,
        units: int = 64,
        dropout: float | None = None,
        pooling: str | None = None,
        train: str = "all",
    ) -> None:
        if train not in TRAINED:
            raise ConfigurationError(f"train={train!r}.{nearest(train, TRAINED)}")
        if max_length is not None:
            max_length = checked_integer("max_length", max_length, least=1)
        self.network = os.fspath(network) if isinstance(network, os.PathLike) else network
        self.max_length, self.train = max_length, train
        self.vocabulary_size, self.words = vocabulary_size, Words(ngrams)
        self.hub: KerasHubText | None = None
        self.saved_model: HubText | None = None
        given = {"embedding_size": embedding_size, "units": units, "dropout": dropout}
        text = self.network if isinstance(self.network, str) else ""
        handle = None if text in TEXT_NETWORKS else saved_model_handle(text)
        if not text or text.startswith(PREFIX):
            self._take_given(self.network, given, pooling)
        elif handle is not None:
            self._take_saved_model(handle, given)
        else:
            self._take_named(text, embedding_size, units, dropout)
        self._refuse_what_is_for_others(pooling)
        if ngrams > 1 and not (text in TEXT_NETWORKS and not TEXT_NETWORKS[text].ordered):
            raise ConfigurationError(
                f"ngrams={ngrams} is for 'bag_of_words'; a network that reads words in their order "
                "sees runs of words by itself."
            )

    def _take_named(
        self, name: str, embedding_size: int, units: int, dropout: float | None
    ) -> None:
        if name not in TEXT_NETWORKS:
            known = [*TEXT_NETWORKS, f"{PREFIX}<preset>", f"{HUB_PREFIX}<folder or URL>"]
            raise ConfigurationError(f"network {name!r} is unknown.{nearest(name, known)}")
        usual = TEXT_NETWORKS[name]
        self.max_length = usual.max_length if self.max_length is None else self.max_length
        dropout = usual.dropout if dropout is None else dropout
        self.layers = TextLayers(self.vocabulary_size, embedding_size, units, dropout)

    def _take_saved_model(self, handle: str, given: dict[str, Any]) -> None:
        _refuse(given, ["embedding_size"], "the SavedModel brings its own vectors: leave it out.")
        if self.max_length is not None:
            raise ConfigurationError(
                f"max_length={self.max_length}: the SavedModel {handle!r} splits texts into words "
                "itself and reads them whole; leave it out."
            )
        dropout = HUB_DROPOUT if given["dropout"] is None else given["dropout"]
        layers = TextLayers(self.vocabulary_size, 1, given["units"], dropout)
        self.saved_model = HubText(handle, layers, trainable=self.train == "all")

    def _refuse_what_is_for_others(self, pooling: str | None) -> None:
        if pooling is not None and self.hub is None:
            raise ConfigurationError(
                f"pooling={pooling!r} is for '{PREFIX}<preset>'; other networks have their own."
            )
        if self.train == "head" and self.hub is None and self.saved_model is None:
            raise ConfigurationError(
                f"train='head' is for a pretrained network, '{PREFIX}<preset>' or "
                f"'{HUB_PREFIX}<folder or URL>'; this one learns from nothing: leave it out."
            )

    def _take_given(self, network: Any, given: dict[str, Any], pooling: str | None) -> None:
        if not isinstance(network, (str, keras.Model)):
            raise ConfigurationError(
                f"network is a {type(network).__name__}; give a name, a keras.Model or a keras-hub "
                f"TextClassifier.{nearest(network, TEXT_NETWORKS)}"
            )
        _refuse(given, OWN_OPTIONS, "the given network brings its own layers: set it there.")
        if isinstance(network, str) or is_from_keras_hub(network):
            frozen = self.train == "head"
            self.hub = KerasHubText(network, self.max_length, pooling, frozen=frozen)

    @property
    def learning_rate(self) -> float | None:
        """Of Adam and its kin; None is the optimizer's own default."""
        if self.hub is not None:
            return FINE_TUNING_RATE if self.train == "all" else None
        named = isinstance(self.network, str) and self.network in TEXT_NETWORKS
        return TEXT_NETWORKS[self.network].learning_rate if named else None

    @property
    def reads_strings(self) -> bool:
        """Whether the network takes the texts as they are."""
        if self.saved_model is not None:
            return True
        inputs = getattr(self.network, "inputs", None) or []
        return self.hub is None and bool(inputs) and inputs[0].dtype == "string"

    @property
    def reads_words(self) -> bool:
        """Whether the network takes the numbers of a vocabulary's words."""
        return self.hub is None and not self.reads_strings

    def encoded(self, data: DataModule) -> DataModule:
        """The batches of texts as this network's input pipeline gives them."""
        if self.reads_strings:
            return data
        if self.hub is not None:
            return EncodedTexts(data, self.hub.encode, keeps_rows=False)
        return EncodedTexts(data, self.words, max_length=self.max_length)

    def encode(self, texts: tf.Tensor) -> Any:
        """The same for strings of shape (batch,), in a step or a SavedModel."""
        if self.reads_strings:
            return texts
        if self.hub is not None:
            return self.hub.encode(texts)
        return self.words.padded(texts, self.max_length)

    def build(self, num_classes: int) -> BuiltTextClassifier:
        """Make the model, and the vocabulary where it reads words.

        Raises:
            ConfigurationError: The model takes other input or does not give one number for each
                class.
        """
        vocabulary = Vocabulary(self.vocabulary_size) if self.reads_words else None
        if self.hub is not None:
            model = self.hub.classifier(num_classes)
        elif self.saved_model is not None:
            model = self.saved_model.model(num_classes)
        elif isinstance(self.network, str):
            model = build_text_network(self.network, num_classes, self.layers)
        else:
            model = self.network
        built = BuiltTextClassifier(model, vocabulary, gives_probabilities(model))
        if isinstance(self.network, keras.Model):
            self._try(built, num_classes)
        return built

    def _try(self, built: BuiltTextClassifier, num_classes: int) -> None:
        name = built.model.name
        try:
            shape = built.logits(self.encode(tf.constant(["a text"])), training=False).shape
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ConfigurationError(
                f"network {name!r} cannot take "
                f"{'texts' if self.reads_strings else 'numbers of words'}: {error}"
            ) from error
        if tuple(shape) != (1, num_classes):
            raise ConfigurationError(
                f"network {name!r} gives an output of shape {(None, *tuple(shape)[1:])}; it must "
                f"give one logit for each of {num_classes} classes: (None, {num_classes})."
            )


def _refuse(given: dict[str, Any], options: Iterable[str], remedy: str) -> None:
    for option in options:
        if given[option] != OWN_OPTIONS[option]:
            raise ConfigurationError(
                f"{option}={given[option]!r} is for the package's own networks; {remedy}"
            )


class BuiltTextClassifier:
    """A model and what goes in and out of it.

    Args:
        model: Gives (batch, classes).
        vocabulary: Numbers the words for the model; None where it takes something else.
        probabilities: Whether the model ends in a softmax; otherwise it gives logits.
    """

    def __init__(
        self, model: keras.Model, vocabulary: Vocabulary | None, probabilities: bool
    ) -> None:
        self.model, self.vocabulary, self.probabilities = model, vocabulary, probabilities

    def logits(self, inputs: Any, training: bool) -> tf.Tensor:
        """Float32 logits of encoded texts; probabilities become their logarithms."""
        if self.vocabulary is not None:
            inputs = self.vocabulary(inputs)
        outputs = tf.cast(self.model(inputs, training=training), tf.float32)
        if self.probabilities:
            return tf.math.log(tf.maximum(outputs, SMALLEST_PROBABILITY))
        return outputs
