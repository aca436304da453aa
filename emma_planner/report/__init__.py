"""One page about how good a planner is, from the folders that the other commands leave."""
