"""Where data are found and how files are read."""
