"""Times our command against the reference implementation, task by task, in one run."""
