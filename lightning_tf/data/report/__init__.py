"""What data are, told before training."""
