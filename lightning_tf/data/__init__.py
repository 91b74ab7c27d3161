"""DataModule and its sources, one file for each kind of data."""
