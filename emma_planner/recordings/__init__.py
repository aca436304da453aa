"""Recordings on disk: bags in, plan logs and bags out."""
