"""Where the nodes count together: one contract, two engines. What is lost with a crash is one minute of counting."""
