"""How good is a plan: open-loop metrics and tables."""
