"""Requests over the queue (`api.dispatch: queue`). dispatch.py is what gate.py calls; a courier carries sealed text."""
