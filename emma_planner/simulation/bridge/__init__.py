"""The world as ROS nodes see it: lock-step and real time."""
