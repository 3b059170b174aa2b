"""Tests of the pages: as a browser without scripts sees them, and in a real Chromium."""
