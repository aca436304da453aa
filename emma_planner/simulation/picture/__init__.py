"""What the front camera sees: a renderer and all that it draws."""
