"""One suite for both brokers, and what each has of its own."""
