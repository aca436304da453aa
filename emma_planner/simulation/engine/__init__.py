"""MetaDrive, behind this folder alone: its adaptation, map and bodies."""
