"""What starts runs by itself: schedules, signed webhooks, queues."""
