"""Whether a review is positive, by the mean of its words' embeddings."""

import csv
import random
import re
import sys
from collections import Counter
from pathlib import Path

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

data = Path(sys.argv[1])
lightning.seed_everything(0)


def words(text):
    return re.findall(r"[\w']+", text.lower())[:500]


def examples(file):
    with open(file, newline="") as rows:
        return [(words(row["text"]), int(row["label"])) for row in csv.DictReader(rows)]


train = examples(data / "train.csv")
random.shuffle(train)
test = examples(data / "test.csv")
val, train = train[: len(train) // 10], train[len(train) // 10 :]
counts = Counter(word for text, _ in train for word in text)
vocabulary = {word: number for number, (word, _) in enumerate(counts.most_common(19_998), start=1)}


def collate(batch):
    texts, labels = zip(*batch, strict=True)
    numbers = [torch.tensor([vocabulary.get(word, 0) for word in text]) for text in texts]
    offsets = torch.tensor([0, *map(len, numbers[:-1])]).cumsum(0)
    return torch.cat(numbers), offsets, torch.tensor(labels)


def loader(split, shuffle=False):
    return DataLoader(split, batch_size=64, shuffle=shuffle, collate_fn=collate)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(20_000, 64, mode="mean")
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 2))

    def training_step(self, batch, batch_idx):
        return self.step(batch, "train")

    def validation_step(self, batch, batch_idx):
        return self.step(batch, "val")

    def test_step(self, batch, batch_idx):
        return self.step(batch, "test")

    def step(self, batch, stage):
        numbers, offsets, labels = batch
        logits = self.head(self.embedding(numbers, offsets))
        loss = cross_entropy(logits, labels)
        accuracy = (logits.argmax(1) == labels).float().mean()
        metrics = {f"{stage}_loss": loss, f"{stage}_accuracy": accuracy}
        self.log_dict(metrics, on_epoch=True, batch_size=len(labels))
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-3)


trainer = lightning.Trainer(max_epochs=int(sys.argv[2]), accelerator="cpu", logger=CSVLogger("."))
module = Classifier()
trainer.fit(module, loader(train, shuffle=True), loader(val))
(results,) = trainer.test(module, loader(test))
print("accuracy", results["test_accuracy"])
