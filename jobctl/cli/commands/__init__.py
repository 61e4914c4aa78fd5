"""The commands, grouped by what they act on. Each module adds its own with ``register(app)``."""
