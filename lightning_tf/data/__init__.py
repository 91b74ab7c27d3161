"""DataModule and its sources, one file per kind of data."""
