"""Policy gradient (PPO): land softly. Games by a simulator in Python, with the present weights."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer

PULL, THRUST, DRIFT = -0.05, 0.12, 60  # at most as many steps


class Lander:
    """A simulator of one landing, in the manner of Gymnasium."""

    def __init__(self, rng):
        self.rng = rng

    def reset(self):
        self.height, self.speed, self.steps = self.rng.uniform(4, 8), self.rng.uniform(-0.5, 0), 0
        return np.array([self.height, self.speed], "float32")

    def step(self, engine):
        self.speed += PULL + THRUST * engine
        self.height, self.steps = self.height + self.speed, self.steps + 1
        done = self.height <= 0 or self.steps == DRIFT
        reward = 0.0
        if done:
            reward = 1 - 2 * min(abs(self.speed), 1) if self.height <= 0 else -1
        return np.array([self.height, self.speed], "float32"), reward, done


def play(policy, games, rng):
    """Play; return states, actions and each step's reward to come, and the mean reward."""
    landers = [Lander(rng) for _ in range(games)]
    states = np.stack([lander.reset() for lander in landers])
    rows, rewards, flying = [], np.zeros(games, "float32"), np.arange(games)
    while len(flying):
        odds = policy(states[flying])
        engines = (rng.random(len(flying)) < odds).astype("int32")
        rows += zip(flying, states[flying].copy(), engines, np.where(engines, odds, 1 - odds))
        still = []
        for game, engine in zip(flying, engines, strict=True):
            states[game], rewards[game], done = landers[game].step(engine)
            still += [] if done else [game]
        flying = np.array(still, "int64")
    game, seen, engine, odds = (np.array(part) for part in zip(*rows, strict=True))
    return (seen, engine, odds.astype("float32"), rewards[game]), float(rewards.mean())


class Games(DataModule):
    """The steps of the latest games, over which an epoch goes several times."""

    steps = None

    def __init__(self, examples: int = 2048, passes: int = 4):
        super().__init__(batch_size=256)
        self.examples, self.passes = examples, passes

    def setup(self, stage):
        if self.steps is None:  # by chance: there are no weights yet
            self.steps, _ = play(lambda s: np.full(len(s), 0.5), 64, np.random.default_rng(0))

    def train_dataset(self, epoch):
        rng = np.random.default_rng([self.order_seed, epoch])
        rows = rng.integers(0, len(self.steps[0]), self.passes * self.examples)
        drawn = tuple(part[rows] for part in self.steps)
        return tf.data.Dataset.from_tensor_slices(drawn).batch(self.batch_size)

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]
