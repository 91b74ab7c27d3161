"""EXPERIMENTS: every experiment of the gallery, in the order of the courses' chapters."""

from lightning_tf.gallery.experiment import Experiment

NEURONS = "Neurons"
LEARNING = "How a network learns"
IMAGES = "Networks for images"
OVERFITTING = "Overfitting and transfer learning"

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "perceptron",
            NEURONS,
            "Rosenblatt's rule and logistic regression on and, or, xor; a layer cures xor",
            "accuracy of xor with a layer",
            reached=1.0,
            margin=0.0,
            seconds=25,
        ),
        Experiment(
            "playground",
            NEURONS,
            "One neuron, a layer and two layers on circles and spirals",
            "test accuracy on spirals, two layers",
            reached=0.99,
            margin=0.03,
            seconds=30,
        ),
        Experiment(
            "linear_regression",
            LEARNING,
            "A line through points: TensorBoard's graph, saved and restored, by flags",
            "slope",
            reached=2.935,
            margin=0.02,
            seconds=15,
        ),
        Experiment(
            "cross_entropy",
            LEARNING,
            "Softmax, cross entropy and the gradient p - y in numbers",
            "cross entropy of the example",
            reached=1.417,
            margin=0.001,
            seconds=10,
        ),
        Experiment(
            "gradient_descent",
            LEARNING,
            "Paths of SGD, momentum, RMSProp and Adam in a bowl; rates too small, right, too large",
            "loss of SGD",
            reached=0.01698,
            margin=0.0005,
            seconds=15,
        ),
        Experiment(
            "fashion_mnist",
            IMAGES,
            "Clothes by a network of dense layers, and what it takes for what",
            "test accuracy",
            reached=0.889,
            margin=0.015,
            seconds=35,
        ),
        Experiment(
            "lenet5",
            IMAGES,
            "LeNet-5 as published beside a network of today, on handwritten digits",
            "test accuracy, lenet5",
            reached=0.957,
            margin=0.02,
            seconds=90,
        ),
        Experiment(
            "networks",
            IMAGES,
            "Nine networks counted: layers, weights, products, and what each idea buys",
            "thousand weights of mobilenet",
            reached=203.05,
            margin=0.0,
            seconds=15,
        ),
        Experiment(
            "feature_maps",
            IMAGES,
            "What a CNN sees: filters, feature maps, Grad-CAM and occlusion on a photo",
            "share of occlusion's drop inside the boxes",
            reached=0.615,
            margin=0.06,
            seconds=60,
        ),
        Experiment(
            "detection",
            IMAGES,
            "Anchors, non-maximum suppression and RoI pooling on a photo of a raccoon",
            "mAP50",
            reached=0.904,
            margin=0.06,
            seconds=75,
        ),
        Experiment(
            "overfitting",
            OVERFITTING,
            "A small CNN learns photos of scenes by heart; augmentation and dropout cure it",
            "test accuracy",
            reached=0.808,
            margin=0.03,
            seconds=180,
        ),
        Experiment(
            "augmentations",
            OVERFITTING,
            "One photo, and what every augmentation makes of it",
            "augmentations",
            reached=14,
            margin=0,
            seconds=15,
        ),
        Experiment(
            "transfer_scenes",
            OVERFITTING,
            "A new head on MobileNetV2 tells six scenes apart",
            "test accuracy",
            reached=0.892,
            margin=0.015,
            seconds=80,
            reached_in_full=0.893,
        ),
    )
}
