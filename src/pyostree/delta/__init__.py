"""Static deltas: making them, looking at them, applying them to a repository."""
