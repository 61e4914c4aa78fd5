"""The master's HTTP routes, one module per topic."""
