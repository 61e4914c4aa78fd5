"""jobctl: a command-line cluster controller that drives Docker programmatically."""

__version__ = "0.1.0"
