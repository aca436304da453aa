"""What a drive is worth: infractions, driving score, success, comfort."""
