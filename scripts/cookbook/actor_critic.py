"""Actor-critic: balance a pole on a cart. The simulator is part of the step, in the graph."""

import keras
import tensorflow as tf

from lightning_tf import Task, Trainer

CARTS, HORIZON, LONGEST = 32, 16, 200


def pushed(state, action):
    """Return carts and poles 0.02 s later, pushed to the left (0) or right (1)."""
    x, v, angle, spin = tf.unstack(state, axis=-1)
    sine, cosine = tf.sin(angle), tf.cos(angle)
    push = (20.0 * tf.cast(action, tf.float32) - 10.0 + 0.05 * spin**2 * sine) / 1.1
    torque = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    slide = push - 0.05 * torque * cosine / 1.1
    moved = [x + 0.02 * v, v + 0.02 * slide, angle + 0.02 * spin, spin + 0.02 * torque]
    return tf.stack(moved, axis=-1)


def fallen(state):
    return (abs(state[:, 0]) > 2.4) | (abs(state[:, 2]) > 0.21)


def beginnings(count):
    return keras.random.uniform((count, 4), -0.05, 0.05)


class ActorCritic(Task):
    def __init__(self, discount: float = 0.99, entropy: float = 0.01, updates: int = 100):
        self.discount, self.entropy = discount, entropy
        self.data = tf.data.Dataset.range(updates).batch(1)  # only an epoch's length

    def configure_model(self):
        def network(outputs):
            hidden = [keras.layers.Dense(64, "tanh") for _ in range(2)]
            return keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(outputs)])

        self.actor, self.critic = network(2), network(1)
        self.state = keras.Variable(beginnings(CARTS), trainable=False)
        self.age = keras.Variable(tf.zeros(CARTS), trainable=False)

    def configure_optimizers(self):
        return {"actor": keras.optimizers.Adam(3e-3), "critic": keras.optimizers.Adam(3e-3)}

    def training_step(self, batch):
        state, age = tf.convert_to_tensor(self.state), tf.convert_to_tensor(self.age)
        states, actions, ends, returns = [], [], [], []
        for _ in range(HORIZON):
            action = keras.random.categorical(self.actor(state), 1)[:, 0]
            states.append(state)
            actions.append(action)
            state, age = pushed(state, action), age + 1
            end = fallen(state) | (age >= LONGEST)
            ends.append(tf.cast(end, tf.float32))
            state = tf.where(end[:, None], beginnings(CARTS), state)
            age = tf.where(end, 0.0, age)
        self.state.assign(state)
        self.age.assign(age)
        value = self.critic(state)[:, 0]
        for end in reversed(ends):
            value = (1 - end) * (1 + self.discount * value)  # a reward for each step upright
            returns.insert(0, value)
        states, returns = tf.concat(states, 0), tf.stop_gradient(tf.concat(returns, 0))
        values = self.critic(states)[:, 0]
        advantages = tf.stop_gradient(returns - values)
        advantages /= tf.math.reduce_std(advantages) + 1e-6
        log_odds = tf.nn.log_softmax(self.actor(states))
        taken = tf.gather(log_odds, tf.concat(actions, 0), batch_dims=1)
        entropy = -tf.reduce_mean(tf.reduce_sum(tf.exp(log_odds) * log_odds, axis=-1))
        return {
            "actor": -tf.reduce_mean(taken * advantages) - self.entropy * entropy,
            "critic": tf.reduce_mean((returns - values) ** 2),
        }

    def predict_step(self, state):
        """Return for how many steps each pole stays upright, with the likeliest actions."""

        def step(state, upright, steps):
            state = pushed(state, tf.argmax(self.actor(state), axis=-1))
            upright = tf.where(fallen(state), 0.0, upright)
            return state, upright, steps + upright

        first = (state, tf.ones_like(state[:, 0]), tf.zeros_like(state[:, 0]))
        return tf.while_loop(lambda *_: True, step, first, maximum_iterations=LONGEST)[2]


def main(epochs: int = 8) -> dict[str, float]:
    starts, steps = tf.random.stateless_uniform((32, 4), (0, 1), -0.05, 0.05), {}
    for name, count in (("untrained", 0), ("steps_upright", epochs)):
        task, trainer = ActorCritic(), Trainer(max_epochs=count, seed=0)
        trainer.fit(task)
        steps[name] = float(tf.reduce_mean(trainer.predict(task, starts, collect=True)[0]))
    return steps


if __name__ == "__main__":
    print(main())
