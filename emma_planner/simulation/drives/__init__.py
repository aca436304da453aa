"""A drive from its start to its end: driver, loop, record, files, many at once."""
