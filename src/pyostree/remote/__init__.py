"""Named sources of objects: their configuration, how to reach them, what they offer."""
