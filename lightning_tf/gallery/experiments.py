"""EXPERIMENTS: every experiment of the gallery, in the order of the courses' chapters."""

from lightning_tf.gallery.experiment import Experiment

IMAGES = "Images: overfitting and transfer learning"

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "overfitting",
            IMAGES,
            "A small CNN learns photos of scenes by heart; augmentation and dropout cure it",
            "test accuracy",
            reached=0.803,  # of validation: the test after 16 epochs is still to be measured
            margin=0.05,
            seconds=180,
            reached_in_full=0.853,
            page="gallery/overfitting.md",
        ),
        Experiment(
            "augmentations",
            IMAGES,
            "One photo, and what every augmentation makes of it",
            "augmentations",
            reached=14,
            margin=0,
            seconds=15,
            page="gallery/augmentations.md",
        ),
        Experiment(
            "transfer_scenes",
            IMAGES,
            "A new head on MobileNetV2 tells six scenes apart",
            "test accuracy",
            reached=0.892,
            margin=0.015,
            seconds=80,
            reached_in_full=0.893,
            page="gallery/transfer_scenes.md",
        ),
    )
}
