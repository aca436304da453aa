"""A recording through the planner: in lock-step without ROS, or live over DDS."""
