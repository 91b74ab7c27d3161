"""Keras layers that Keras lacks or has slow."""
