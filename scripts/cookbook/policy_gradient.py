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


class PPO(Task):
    def __init__(self, clip: float = 0.2, entropy: float = 0.01, games: int = 64):
        self.clip, self.entropy, self.games = clip, entropy, games
        self.data = Games()

    def configure_model(self):
        def network():
            hidden = [keras.layers.Dense(32, "tanh") for _ in range(2)]
            return keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1)])

        self.policy, self.value = network(), network()

    def configure_optimizers(self):
        return {"policy": keras.optimizers.Adam(3e-3), "value": keras.optimizers.Adam(3e-3)}

    def odds(self, states):
        return tf.sigmoid(self.policy(states))[:, 0]

    def training_step(self, batch):
        states, engine, old_odds, rewards = batch
        values, odds = self.value(states)[:, 0], self.odds(states)
        gain = tf.stop_gradient(rewards - values)
        ratio = tf.where(engine == 1, odds, 1 - odds) / old_odds
        clipped = tf.clip_by_value(ratio, 1 - self.clip, 1 + self.clip)
        noise = keras.losses.binary_crossentropy(odds[:, None], odds[:, None])  # its entropy
        return {
            "policy": -tf.reduce_mean(tf.minimum(ratio * gain, clipped * gain))
            - self.entropy * tf.reduce_mean(noise),
            "value": tf.reduce_mean((rewards - values) ** 2),
        }

    def on_train_epoch_end(self):  # the next epoch's data, by the present weights
        rng = np.random.default_rng([self.data.order_seed, self.trainer.current_epoch, 1])
        self.data.steps, reward = play(lambda s: self.odds(s).numpy(), self.games, rng)
        self.log("reward", reward)


def main(epochs: int = 40) -> dict[str, float]:
    task, rng = PPO(), np.random.default_rng(1)
    Trainer(max_epochs=epochs, seed=0).fit(task)
    _, learned = play(lambda s: (task.odds(s).numpy() > 0.5).astype("float32"), 200, rng)
    _, by_chance = play(lambda s: np.full(len(s), 0.5), 200, rng)
    return {"reward": learned, "by_chance": by_chance}


if __name__ == "__main__":
    print(main())
