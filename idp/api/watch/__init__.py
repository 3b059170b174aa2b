"""Streams: what documents.watch and queues.consume give, event by event, under the rights of each moment."""
