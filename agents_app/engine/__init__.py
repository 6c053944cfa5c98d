"""What makes runs go on: one worker at a time takes turns with a run, and every step is on record before the next."""
