"""The host side of a run: what happens between two graph calls."""
