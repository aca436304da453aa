"""Drives as pictures: camera with the plan, bird's-eye view, files."""
