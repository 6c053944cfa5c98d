"""An agent reads log lines from a queue, asks before it restarts a service, and restarts it once."""
