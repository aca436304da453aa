"""Open-loop runs: windows of recordings and data sets in, files of predictions out."""
