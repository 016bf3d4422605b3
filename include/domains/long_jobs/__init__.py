"""Jobs that run elsewhere for longer than a task should: how they are started, watched, cancelled and read."""
