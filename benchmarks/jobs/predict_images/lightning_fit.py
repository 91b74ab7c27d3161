"""The class of every JPEG file of a folder, in a CSV file."""

import csv
import os
import sys
from pathlib import Path

import lightning
import torch
from lightning_network import Classifier, to_image
from PIL import Image
from torch.utils.data import DataLoader, Dataset

data = Path(sys.argv[1])
class_names = ["cats", "dogs"]


class Photos(Dataset):
    def __init__(self, folder):
        self.files = sorted(folder.rglob("*.jpg"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return to_image(Image.open(self.files[index]).convert("RGB"))


photos = Photos(data / "new_photos")
loader = DataLoader(photos, batch_size=32, num_workers=os.cpu_count())
trainer = lightning.Trainer(accelerator="cpu", logger=False)
module = Classifier.load_from_checkpoint(data / "lightning.ckpt")
probabilities = torch.cat(trainer.predict(module, loader))

labels = [class_names[number] for number in probabilities.argmax(dim=1)]
with open("labels.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "label", "probability", "probability_cats", "probability_dogs"])
    for path, label, pair in zip(photos.files, labels, probabilities.tolist(), strict=True):
        writer.writerow([path, label, max(pair), *pair])
right = [path.parent.name == label for path, label in zip(photos.files, labels, strict=True)]
print("accuracy", sum(right) / len(right))
