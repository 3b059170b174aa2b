"""What tests share: ports, processes, clocks, browsers, a running Sheaf."""
