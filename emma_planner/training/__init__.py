"""Data sets, small models, and training them: everything from a drive to a checkpoint."""
