"""EXPERIMENTS: every experiment of the gallery, in the order of the courses' chapters."""

from lightning_tf.gallery.experiment import Experiment

NEURONS = "Neurons"
LEARNING = "How a network learns"

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
            page="gallery/perceptron.md",
        ),
        Experiment(
            "playground",
            NEURONS,
            "One neuron, a layer and two layers on circles and spirals",
            "test accuracy on spirals, two layers",
            reached=0.99,
            margin=0.03,
            seconds=30,
            page="gallery/playground.md",
        ),
        Experiment(
            "linear_regression",
            LEARNING,
            "A line through points: TensorBoard's graph, saved and restored, by flags",
            "slope",
            reached=2.935,
            margin=0.02,
            seconds=15,
            page="gallery/linear_regression.md",
        ),
        Experiment(
            "cross_entropy",
            LEARNING,
            "Softmax, cross entropy and the gradient p - y in numbers",
            "cross entropy of the example",
            reached=1.417,
            margin=0.001,
            seconds=10,
            page="gallery/cross_entropy.md",
        ),
        Experiment(
            "gradient_descent",
            LEARNING,
            "Paths of SGD, momentum, RMSProp and Adam in a bowl; rates too small, right, too large",
            "loss of SGD",
            reached=0.01698,
            margin=0.0005,
            seconds=15,
            page="gallery/gradient_descent.md",
        ),
    )
}
