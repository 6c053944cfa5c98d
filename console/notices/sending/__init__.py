"""How a notice is written for each kind of channel, and how it leaves the house."""
