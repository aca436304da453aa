"""Everybody else on the road: cars, lights, people on foot, obstacles; pure."""
