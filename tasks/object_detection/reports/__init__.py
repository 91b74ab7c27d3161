"""What a detector found, as images, curves, a confusion matrix and a table."""
