"""keras-nlp's names are keras-hub's classes: its text classifier trains."""

import pytest
from helpers.boring import fitted
from helpers.extras import needs
from helpers.texts import KINDS, SUBJECTS, texts

from lightning_tf.tasks import TextClassification

WORDS = [*SUBJECTS, *(word for words in KINDS.values() for word in words)]


@pytest.mark.slow
@needs("keras_nlp", "keras-nlp")
def test_a_text_classifier_is_trained():
    import keras_nlp

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = keras_nlp.models.BertTokenizer(vocabulary=[*special, *WORDS], lowercase=True)
    preprocessor = keras_nlp.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=16)
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=5 + len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    network = keras_nlp.models.BertTextClassifier(
        backbone, num_classes=2, preprocessor=preprocessor
    )
    options = {"batch_size": 16, "learning_rate": 2e-3, "schedule": "constant"}
    options["data_options"] = {"test_fraction": 0.25}
    task = TextClassification(texts(192), network, **options)
    trainer = fitted(task, max_epochs=16, seed=0)
    assert trainer.test(task)["test_accuracy"] >= 0.9
