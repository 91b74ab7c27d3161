"""Object storage: URLs as paths, with a working copy on this disk."""
