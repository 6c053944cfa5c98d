"""A widget answers on a customer's site, a script sums up tickets, and one document says what things cost."""
