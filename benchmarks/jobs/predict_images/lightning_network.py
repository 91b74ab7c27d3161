"""The net and the images of Lightning's part of the job."""

import lightning
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision import transforms

to_image = transforms.Compose(
    [transforms.Resize((64, 64)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for filters, size, strides in ((32, 5, 2), (64, 3, 1), (128, 3, 1)):
            convolution = nn.Conv2d(channels, filters, size, strides, padding=size // 2)
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
            channels = filters
        layers += [nn.Flatten(), nn.Linear(4 * 4 * 128, 128), nn.ReLU(), nn.Linear(128, 2)]
        self.network = nn.Sequential(*layers)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return cross_entropy(self.network(images), labels)

    def predict_step(self, batch, batch_idx):
        return torch.softmax(self.network(batch), dim=1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
