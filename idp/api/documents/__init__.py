"""What callers do with documents: rights, versions, history, collections, sealed fields."""
