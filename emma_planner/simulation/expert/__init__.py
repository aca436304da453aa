"""A privileged driver that sees the ground truth."""
