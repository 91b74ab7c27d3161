"""The doctor's room: whether this machine can train, each check one line with its remedy."""
