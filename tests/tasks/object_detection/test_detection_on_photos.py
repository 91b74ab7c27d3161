"""What a pretrained detector learns of photos."""

import pytest
from helpers.boring import fitted

from lightning_tf.tasks import ObjectDetection

WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.mark.slow
def test_blood_cells_of_every_size_are_found_after_four_epochs(real_data):
    file = real_data / WEIGHTS
    if not file.is_file():
        pytest.skip(f"{WEIGHTS} is not in the folder of real data")
    task = ObjectDetection(
        str(real_data / "bccd"),
        weights=str(file),
        image_size=(256, 320),
        batch_size=4,
        schedule="cosine",
        data_options={"bad_boxes": "drop"},
    )
    fitted(task, max_epochs=4, seed=0, gradient_clip_val=10.0)
    precisions = {name: row["map_50"] for name, row in task.host_metrics["map"].per_class().items()}
    # White cells lie on the coarsest map, which a frozen normalisation let die; platelets, one
    # object in fourteen and the smallest, on the finest, which has anchors for them.
    assert precisions["WBC"] > 0.7
    assert precisions["RBC"] > 0.6
    assert precisions["Platelets"] > 0.1
