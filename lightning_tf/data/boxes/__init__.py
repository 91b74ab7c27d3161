"""Images with boxes: annotations read and written, letterboxed batches, generated scenes."""
