"""EXPERIMENTS: every experiment of the gallery, in the order of the courses' chapters."""

from lightning_tf.gallery.experiment import Experiment

NEURONS = "Neurons"
LEARNING = "How a network learns"
IMAGES = "Networks for images"
OVERFITTING = "Overfitting and transfer learning"
SEQUENCES = "Sequences"
DEPLOYMENT = "Save, restore, deploy"

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
        Experiment(
            "gates",
            SEQUENCES,
            "What the gates of a GRU and an LSTM do over 60 days of Google's price",
            "GRU's share of the last 5 days",
            reached=0.965,
            margin=0.03,
            seconds=40,
        ),
        Experiment(
            "walk_forward",
            SEQUENCES,
            "Why the naive forecast is hard to beat; four years, one after the other",
            "error to the naive forecast's, returns",
            reached=0.997,
            margin=0.02,
            seconds=40,
        ),
        Experiment(
            "sentiment",
            SEQUENCES,
            "Reviews by words and pairs of words: nearest words, a map, the words that decided",
            "test accuracy, words and pairs",
            reached=0.903,
            margin=0.008,
            seconds=75,
        ),
        Experiment(
            "service",
            DEPLOYMENT,
            "From a fit to answers over HTTP, the same to the last bit",
            "difference of an answer from the model's",
            reached=0.0,
            margin=0.0,
            seconds=30,
        ),
    )
}
