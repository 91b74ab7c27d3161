"""Tasks: model, data and metrics in one object; imported as `lightning_tf.tasks`."""

if __name__ != "lightning_tf.tasks":
    raise ImportError("import lightning_tf.tasks, not tasks")
