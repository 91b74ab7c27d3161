"""The device side of a run: what happens inside one graph call."""
