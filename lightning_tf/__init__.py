"""lightning_tf: a Lightning-style trainer for Keras 3 on TensorFlow."""
