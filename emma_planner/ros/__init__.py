"""ROS 2 edge: messages to core types and back, and the nodes."""
