"""fashion_mnist: clothes by a network of dense layers, and what it takes for what."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lightning_tf.callbacks import CSVLogger
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import ImageClassification

EPOCHS = 5


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train on 54,000 images, test on 10,000; the images are those that every run writes.

    Args:
        folder: For fashion_mnist.png, fashion_mnist_curves.png and runs/.
        full: Nothing takes longer.
        data_dir: Its folder ``fashion_mnist`` has the four idx files; without it they are looked
            for where Debian's package puts them, then downloaded.
    """
    named = None if data_dir is None else Path(data_dir, "fashion_mnist")
    files = named if named is not None and named.is_dir() else None
    task = ImageClassification("fashion_mnist", "mlp", batch_size=128, data_dir=files)

    shutil.rmtree(folder / "runs", ignore_errors=True)  # of an earlier time
    logger = CSVLogger(folder / "runs")
    trainer = quiet_trainer(EPOCHS, logger=logger)
    trainer.fit(task)
    metrics = trainer.test(task)

    run_folder = folder / "runs" / "version_0"
    (confusion,) = (run_folder / "figures").glob("test_confusion_matrix_*.png")
    shutil.copy(confusion, folder / "fashion_mnist.png")
    shutil.copy(run_folder / "curves.png", folder / "fashion_mnist_curves.png")
    return {
        "test accuracy": metrics["test_accuracy"],
        "training accuracy": trainer.callback_metrics["accuracy"],
    }
