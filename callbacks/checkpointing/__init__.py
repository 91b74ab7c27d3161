"""Which checkpoints a run writes, keeps and deletes."""
