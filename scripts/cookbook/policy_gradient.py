"""Policy gradient (PPO): land softly. A simulator in NumPy, played with the present weights."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer

PULL, THRUST, LONGEST = -0.05, 0.12, 60


def play(policy, games, rng):
    """Land; return states, actions, their odds and the rewards to come, and the mean reward."""
    height, speed = rng.uniform(4, 8, games), rng.uniform(-0.5, 0, games)
    rows, reward, flying = [], np.full(games, -1, "float32"), np.arange(games)
    while len(flying) and len(rows) < LONGEST:
        states = np.stack([height[flying], speed[flying]], axis=1).astype("float32")
        odds = policy(states)
        engine = rng.random(len(flying)) < odds
        taken = np.where(engine, odds, 1 - odds).astype("float32")
        rows.append((states, engine, taken, flying))
        speed[flying] += PULL + THRUST * engine
        height[flying] += speed[flying]
        landed = flying[height[flying] <= 0]
        reward[landed] = 1 - 2 * np.minimum(abs(speed[landed]), 1)  # softly
        flying = flying[height[flying] > 0]
    *steps, game = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return [*steps, reward[game]], reward.mean()


class Games(DataModule):
    """The steps of the latest games, from which an epoch draws."""

    steps, batch_size, updates = None, 256, 32

    def setup(self, stage):
        if self.steps is None:  # by chance: there are no weights yet
            rng = np.random.default_rng(self.order_seed)
            self.steps, _ = play(lambda s: np.full(len(s), 0.5), 64, rng)

    def train_dataset(self, epoch):
        rng = np.random.default_rng([self.order_seed, epoch])
        rows = rng.integers(0, len(self.steps[0]), self.updates * self.batch_size)
        drawn = tuple(part[rows] for part in self.steps)
        return tf.data.Dataset.from_tensor_slices(drawn).batch(self.batch_size)

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class PPO(Task):
    def __init__(self, clip: float = 0.2, entropy: float = 0.01, games: int = 64):
        self.clip, self.entropy, self.games, self.data = clip, entropy, games, Games()

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
        ratio = tf.where(engine, odds, 1 - odds) / old_odds
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
    _, learned = play(lambda s: task.odds(s).numpy() > 0.5, 200, rng)
    _, by_chance = play(lambda s: np.full(len(s), 0.5), 200, rng)
    return {"reward": float(learned), "by_chance": float(by_chance)}


if __name__ == "__main__":
    print(main())
