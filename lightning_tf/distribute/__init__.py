"""Devices, strategies, replicas and workers."""
