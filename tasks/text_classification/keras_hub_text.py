"""keras-hub's text classifiers as networks; keras-hub is imported only where one is used."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.keras_hub_classifier import PREFIX, load_preset
from lightning_tf.tasks.text_classification.classifier import TextClassifier

POOLINGS = ("mean", "cls", "max")
HEAD_DROPOUT = 0.1  # as keras-hub's own heads have it
FINE_TUNING_RATE = 5e-5  # of the rates in Devlin et al., 2019, appendix A.3


class KerasHubText(TextClassifier):
    """A BERT-like classifier with the tokenizer that it was trained with.

    Args:
        network: ``"keras_hub:<preset>"``, where the preset is a folder or a name such as
            ``bert_tiny_en_uncased``; or a keras-hub TextClassifier with its preprocessor. A folder
            is one that `save_to_preset` wrote, or a Transformers model's (config.json,
            model.safetensors and the tokenizer's files) of a kind that keras-hub converts.
        max_length: Tokens of a text that are read; None is the preset's own number.
        pooling: What the logits are made of: ``mean``, ``cls`` or ``max`` of the last layer's
            tokens, as sentence encoders were trained; None is the head that keras-hub gives the
            preset (for BERT, the pooler of the first token). Only where `network` names a preset of
            a kind that keras-hub has a TextEmbedder for.
        frozen: Whether the backbone stays as it is and only the head trains.

    Raises:
        ConfigurationError: The network is another one of keras-hub's, or lacks its tokenizer; or
            `pooling` is unknown, or named for a network that has its head.

    Example:
        >>> hub = KerasHubText("keras_hub:bert_tiny_en_uncased", max_length=128)
        >>> model = hub.make_model(num_classes=2)
    """

    is_pretrained = True
    takes_pooling = True

    def __init__(
        self,
        network: Any,
        max_length: int | None,
        pooling: str | None = None,
        *,
        frozen: bool = False,
    ) -> None:
        self.network, self.max_length = network, max_length
        self.pooling, self.frozen = pooling, frozen
        self.learning_rate = None if frozen else FINE_TUNING_RATE
        self.preprocessor: Any = None
        if pooling is not None:
            check_known(f"pooling={pooling!r}", pooling, POOLINGS)
        if pooling is not None and not isinstance(network, str):
            raise ConfigurationError(
                f"pooling={pooling!r} is for '{PREFIX}<preset>'; the given "
                f"{type(network).__name__} has its head already."
            )
        if not isinstance(network, str):
            _check_classifier(network)

    def encode_data(self, texts: DataModule) -> DataModule:
        """Return batches of what the tokenizer gives, which runs in the input pipeline."""
        return EncodedTexts(texts, self.encode, keeps_rows=False)

    def encode(self, texts: tf.Tensor) -> Any:
        """Return what the model takes for strings of shape (batch,): a dict of integers."""
        if self.preprocessor is None:
            with tf.init_scope():  # its tables must not belong to the graph that is being traced
                self.preprocessor = self._make_preprocessor()
        return self.preprocessor(texts)

    def make_model(self, num_classes: int) -> keras.Model:
        """Load the classifier of a preset, with a new head, or return the user's own.

        Raises:
            ConfigurationError: keras-hub cannot load the preset, or the user's classifier has
                another number of classes.
        """
        import keras_hub

        if self.pooling is not None:
            return self._pooled_model(num_classes)

        if isinstance(self.network, str):
            model = load_preset(
                keras_hub.models.TextClassifier, self.network, num_classes=num_classes
            )
        elif self.network.num_classes == num_classes:
            model = self.network
        else:
            raise ConfigurationError(
                f"network {self.network.name!r} gives {self.network.num_classes} classes, the "
                f"data have {num_classes}; make it with num_classes={num_classes}."
            )
        if self.frozen:
            model.backbone.trainable = False
        return model

    def export_resources(self) -> dict[str, Any]:
        """Return the tokenizer, made now where no text was encoded yet."""
        self.encode(tf.constant([""]))
        return {"tokenizer": self.preprocessor}

    def _pooled_model(self, num_classes: int) -> keras.Model:
        """Put a new head on the pooled tokens of the last layer."""
        import keras_hub

        # Of length 1, a text's vector would tell two classes apart by too little for a softmax.
        options = {"pooling_mode": self.pooling, "normalize": False}
        embedder = load_preset(keras_hub.models.TextEmbedder, self.network, **options)
        embedder.backbone.trainable = not self.frozen

        vectors = keras.layers.Dropout(HEAD_DROPOUT, name="classifier_dropout")(embedder.output)
        logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(vectors)
        return keras.Model(embedder.input, logits, name=f"{self.pooling}_pooled_{embedder.name}")

    def _make_preprocessor(self) -> Any:
        import keras_hub

        if isinstance(self.network, str):
            options = {} if self.max_length is None else {"sequence_length": self.max_length}
            return load_preset(keras_hub.models.TextClassifierPreprocessor, self.network, **options)

        preprocessor = self.network.preprocessor
        if self.max_length is not None:
            preprocessor.sequence_length = self.max_length
        return preprocessor


def _check_classifier(network: Any) -> None:
    import keras_hub

    if not isinstance(network, keras_hub.models.TextClassifier):
        raise ConfigurationError(
            f"network is keras-hub's {type(network).__name__}; give a TextClassifier with "
            "its preprocessor: a backbone alone has no tokenizer."
        )
    if network.preprocessor is None:
        raise ConfigurationError(
            f"network {network.name!r} has no preprocessor, and so no tokenizer; make it "
            "with preprocessor=."
        )
