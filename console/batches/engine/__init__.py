"""What a worker does with a batch: check it, send its lines, write its files. PostgreSQL is the queue of record."""
