"""How a run begins, is resumed, signalled and ends."""
