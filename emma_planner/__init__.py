"""A ROS 2 planner that lets a multimodal language model drive."""

__version__ = '0.1.0'
