"""What the identity provider and the companion API share. Imports nothing of Sheaf outside itself."""
