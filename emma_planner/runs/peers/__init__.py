"""Results of other projects as predictions, so that all are scored alike."""
