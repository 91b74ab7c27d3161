"""Search for hyperparameters: the values to try, the trials, their table and image."""
