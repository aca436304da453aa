"""Path and ego motion to steering and acceleration."""
