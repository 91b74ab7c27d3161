"""Find objects of several classes in images, and the box around each."""
