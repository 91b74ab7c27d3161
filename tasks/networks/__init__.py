"""Networks that the tasks build by name."""
