"""A trained task behind HTTP: needs the extra `serve`."""
