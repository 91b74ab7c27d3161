"""What several experiments of the gallery share, and pieces of one."""
