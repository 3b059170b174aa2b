"""Owns what test_fuzz needs: the world, good requests in it, and everything that can be wrong with them."""
