"""Where one can drive: lanes, routes, edges; pure geometry."""
