"""Queues outside: addresses of brokers, the wire, who reads, what becomes of a message, what is sent back."""
