"""What is changed of a planner's inputs, for ablations and for tests of robustness."""
