"""Jobs: each takes a plan (or a config, whose plan it is then) and returns a result, not yet saved."""
