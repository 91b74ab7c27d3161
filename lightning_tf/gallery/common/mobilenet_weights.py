"""mobilenet_weights: MobileNetV2's weights of ImageNet, from a folder of the user's or by Keras."""

from pathlib import Path

FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


def mobilenet_weights(data_dir: str | None) -> Path | str:
    """Return the file as keras.applications names it; without one ``imagenet``, to download it.

    Args:
        data_dir: The folder; None is the working directory.
    """
    file = Path(data_dir or ".").expanduser() / FILE
    return file if file.exists() else "imagenet"
