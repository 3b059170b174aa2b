"""Where documents live: one contract, two engines."""
