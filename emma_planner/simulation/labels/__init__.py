"""Samples to learn from: picture, history, facts, future."""
