"""Networks that classify texts."""
