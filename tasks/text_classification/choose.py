"""choose_text_classifier: what a user names as `network`, made into a TextClassifier."""

import os
from typing import Any

import keras

from lightning_tf.checks import check_known, checked_integer
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.layers.hub_layer import HUB_PREFIX, saved_model_handle
from lightning_tf.tasks.common.built_classifier import refuse_layer_options
from lightning_tf.tasks.common.keras_hub_classifier import PREFIX, is_from_keras_hub
from lightning_tf.tasks.networks.text.build import TEXT_NETWORKS
from lightning_tf.tasks.networks.text.layers import TextLayers
from lightning_tf.tasks.text_classification.classifier import (
    NamedText,
    StringModel,
    TextClassifier,
    WordModel,
)
from lightning_tf.tasks.text_classification.hub_text import HubText
from lightning_tf.tasks.text_classification.keras_hub_text import KerasHubText
from lightning_tf.tasks.text_classification.words import Words

# The defaults of `TextClassification`: another value counts as named by the user.
LAYER_OPTIONS = {"embedding_size": 64, "units": 64, "dropout": None}
HUB_DROPOUT = 0.5
TRAINED = ("all", "head")


def choose_text_classifier(
    network: Any,
    *,
    vocabulary_size: int,
    max_length: int | None,
    ngrams: int,
    embedding_size: int,
    units: int,
    dropout: float | None,
    pooling: str | None,
    train: str,
) -> TextClassifier:
    """Choose the kind of a network and refuse options that are for another kind.

    A named network, and a Keras model whose input is no string, reads the numbers of words in a
    `Vocabulary`. A keras-hub classifier reads what its own tokenizer gives. A SavedModel, and a
    Keras model whose input is strings, get the texts as they are.

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
            its own layers gets options for them.
    """
    check_known(f"train={train!r}", train, TRAINED)
    if max_length is not None:
        max_length = checked_integer("max_length", max_length, least=1)
    network = os.fspath(network) if isinstance(network, os.PathLike) else network
    words = Words(ngrams)
    options: dict[str, Any] = {"embedding_size": embedding_size, "units": units, "dropout": dropout}

    name = network if isinstance(network, str) else ""
    # A name of ours wins over a folder that happens to be called the same.
    handle = saved_model_handle(name) if name and name not in TEXT_NETWORKS else None
    classifier: TextClassifier
    if name in TEXT_NETWORKS:
        classifier = NamedText(name, words, vocabulary_size, max_length, **options)
    elif name.startswith(PREFIX) or isinstance(network, keras.Model):
        refuse_layer_options(options, LAYER_OPTIONS)
        if name or is_from_keras_hub(network):
            classifier = KerasHubText(network, max_length, pooling, frozen=train == "head")
        elif _takes_strings(network):
            classifier = StringModel(network)
        else:
            classifier = WordModel(network, words, vocabulary_size, max_length)
    elif handle is not None:
        classifier = _saved_model(handle, options, max_length, train)
    elif name:
        known = [*TEXT_NETWORKS, f"{PREFIX}<preset>", f"{HUB_PREFIX}<folder or URL>"]
        raise ConfigurationError(f"network {name!r} is unknown.{nearest(name, known)}")
    else:
        raise ConfigurationError(
            f"network is a {type(network).__name__}; give a name, a keras.Model or a keras-hub "
            f"TextClassifier.{nearest(network, TEXT_NETWORKS)}"
        )

    _refuse_what_is_for_others(classifier, pooling, train, ngrams)
    return classifier


def _saved_model(
    handle: str, options: dict[str, Any], max_length: int | None, train: str
) -> HubText:
    vectors = {"embedding_size": LAYER_OPTIONS["embedding_size"]}
    remedy = "the SavedModel brings its own vectors: leave it out."
    refuse_layer_options(options, vectors, remedy)
    if max_length is not None:
        raise ConfigurationError(
            f"max_length={max_length}: the SavedModel {handle!r} splits texts into words "
            "itself and reads them whole; leave it out."
        )
    dropout = HUB_DROPOUT if options["dropout"] is None else options["dropout"]
    # The SavedModel has the words and their vectors: only the head is made.
    head = TextLayers(1, 1, options["units"], dropout)
    return HubText(handle, head, trainable=train == "all")


def _takes_strings(model: keras.Model) -> bool:
    inputs = getattr(model, "inputs", None) or []
    return bool(inputs) and inputs[0].dtype == "string"


def _refuse_what_is_for_others(
    classifier: TextClassifier, pooling: str | None, train: str, ngrams: int
) -> None:
    if pooling is not None and not classifier.takes_pooling:
        raise ConfigurationError(
            f"pooling={pooling!r} is for '{PREFIX}<preset>'; other networks have their own."
        )
    if train == "head" and not classifier.is_pretrained:
        raise ConfigurationError(
            f"train='head' is for a pretrained network, '{PREFIX}<preset>' or "
            f"'{HUB_PREFIX}<folder or URL>'; this one learns from nothing: leave it out."
        )
    if ngrams > 1 and classifier.is_ordered:
        raise ConfigurationError(
            f"ngrams={ngrams} is for 'bag_of_words' and 'embedding_bag'; a network that reads "
            "words in their order sees runs of words by itself."
        )
