"""Images with labels, and without."""
