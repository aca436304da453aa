"""Ego motion and a camera image in, a trajectory out. Knows numpy; not ROS, torch or files."""
