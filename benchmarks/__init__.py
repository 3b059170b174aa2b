"""What `make bench` measures and how. Nothing here is asserted: figures depend on the machine."""
