"""Where messages live: one contract, two brokers."""
