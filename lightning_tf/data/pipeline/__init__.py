"""How indices become batches: the mechanics of tf.data."""
