"""What callers do with queues: rights, messages, exchanges, replies, work items."""
