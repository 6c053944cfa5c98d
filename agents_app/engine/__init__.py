"""What makes runs continue: one worker at a time takes turns with a run, and every step is recorded before the next."""
