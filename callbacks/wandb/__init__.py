"""Weights & Biases: a run's rows, media, checkpoints and identity."""
