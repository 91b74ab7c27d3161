"""A run to disk and back: atomic, verified, no pickle."""
