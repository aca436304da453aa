"""Closed loop: a simulated world to drive in, an expert, and scores."""
