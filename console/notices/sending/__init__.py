"""Format notices for each kind of channel, and send them."""
