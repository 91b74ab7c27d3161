"""Loggers that write on this machine, and what they share."""
