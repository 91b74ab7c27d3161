"""Networks that the tasks build, one family a file."""
