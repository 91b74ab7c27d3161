"""One update: loss scale, accumulation, clipping, the optimizer's arithmetic."""
