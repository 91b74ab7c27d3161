from helpers.boring import fitted
from helpers.resumable import TwoParts, bits

from lightning_tf.callbacks.early_stopping import BestWeights


def test_weights_and_statistics_come_back_and_seeds_do_not():
    task = TwoParts()
    trainer = fitted(task, max_epochs=1)
    best = BestWeights(task)
    best.copy()
    before = bits(best.weights)
    assert any("moving_mean" in name for name in before)
    seeds = [layer.seed_generator.state for layer in task.backbone.layers if "drop" in layer.name]
    trainer.max_epochs = 2
    trainer.fit(task)
    after, drawn = bits(best.weights), seeds[0].numpy().tolist()
    assert all(after[name] != before[name] for name in before)
    best.restore()
    assert bits(best.weights) == before
    assert seeds[0].numpy().tolist() == drawn
