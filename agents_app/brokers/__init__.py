"""Queues outside: addresses of brokers, the transports, who reads, what becomes of a message, what is sent back."""
