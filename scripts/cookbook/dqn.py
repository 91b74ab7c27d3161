"""DQN: catch the falling ball. A replay buffer, a target network and a simulator in NumPy."""

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer

ROWS, COLUMNS = 10, 7


def play(choose, games, rng):
    """Play games at once; return their transitions, and the share of balls caught."""
    (ball, paddle), every = rng.integers(0, COLUMNS, (2, games)), np.arange(games)

    def board(row):
        boards = np.zeros((games, ROWS, COLUMNS), "float32")
        boards[every, -1, paddle], boards[every, row, ball] = -1, 1
        return boards

    transitions, before = [], board(0)
    for row in range(1, ROWS):
        action = choose(before)
        paddle = (paddle + action - 1).clip(0, COLUMNS - 1)
        after, done = board(row), np.full(games, row == ROWS - 1, "float32")
        transitions.append((before, action, np.where(ball == paddle, done, -done), after, done))
        before = after
    columns = [np.concatenate(parts) for parts in zip(*transitions, strict=True)]
    return columns, float((ball == paddle).mean())


class ReplayBuffer(DataModule):
    """The newest transitions; a checkpoint holds them, so a resumed run goes on exactly."""

    transitions, batch_size, updates = None, 64, 50

    def setup(self, stage):
        if self.transitions is None:  # no checkpoint has brought them
            rng = np.random.default_rng(self.order_seed)
            self.transitions, _ = play(lambda boards: rng.integers(0, 3, len(boards)), 50, rng)

    def train_dataset(self, epoch):
        rng = np.random.default_rng([self.order_seed, epoch])  # called again, it gives the same
        rows = rng.integers(0, len(self.transitions[0]), self.updates * self.batch_size)
        drawn = tuple(part[rows] for part in self.transitions)
        return tf.data.Dataset.from_tensor_slices(drawn).batch(self.batch_size)

    def state_dict(self):
        return {"transitions": self.transitions}

    def load_state_dict(self, state):
        self.transitions = state["transitions"]


class DQN(Task):
    def __init__(self, discount: float = 0.95, explore_epochs: int = 15):
        self.discount, self.explore_epochs, self.data = discount, explore_epochs, ReplayBuffer()

    def configure_model(self):
        layers = [keras.layers.Flatten(), keras.layers.Dense(64, "relu"), keras.layers.Dense(3)]
        self.online = keras.Sequential([keras.Input((ROWS, COLUMNS)), *layers])
        self.target = keras.models.clone_model(self.online)
        self.target.set_weights(self.online.get_weights())
        self.target.trainable = False

    def configure_optimizers(self):
        return keras.optimizers.Adam(1e-3)

    def training_step(self, batch):
        before, action, reward, after, done = batch
        wanted = reward + (1 - done) * self.discount * tf.reduce_max(self.target(after), axis=-1)
        value = tf.gather(self.online(before), action, batch_dims=1)
        return keras.losses.Huber()(wanted, value)

    def play(self, noise, games, rng):
        def choose(boards):
            best = self.online(boards).numpy().argmax(axis=-1)
            return np.where(rng.random(games) < noise, rng.integers(0, 3, games), best)

        return play(choose, games, rng)

    def on_train_epoch_end(self):  # the next epoch draws from what is played here
        self.target.set_weights(self.online.get_weights())
        epoch = self.trainer.current_epoch
        rng = np.random.default_rng([self.data.order_seed, epoch, 1])
        transitions, caught = self.play(max(0.05, 1 - epoch / self.explore_epochs), 50, rng)
        both = zip(self.data.transitions, transitions, strict=True)
        self.data.transitions = [np.concatenate(parts)[-20_000:] for parts in both]
        self.log("caught", caught)


def main(epochs: int = 40) -> dict[str, float]:
    task, rng = DQN(), np.random.default_rng(1)
    Trainer(max_epochs=epochs, seed=0).fit(task)
    return {"caught": task.play(0, 500, rng)[1], "by_chance": task.play(1, 500, rng)[1]}


if __name__ == "__main__":
    print(main())
