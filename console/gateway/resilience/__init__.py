"""Keep the trouble of one provider, or the load of one lane, from spreading."""
