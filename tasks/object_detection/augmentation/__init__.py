"""Changes of training images and their boxes, inside the compiled step."""
