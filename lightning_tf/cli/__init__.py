"""The `lightning-tf` command; its help imports no TensorFlow."""
