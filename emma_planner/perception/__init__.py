"""What the camera sees, and where that is: pinhole camera, detector, objects on the road.

In: a picture. Out: objects in base_link, which prompts tell a model of. Importing this package
imports neither torch nor transformers.
"""
