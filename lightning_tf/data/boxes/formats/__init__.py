"""Formats of boxes: what reads and writes each, and scenes that are generated."""
