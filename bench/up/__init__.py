"""How long a cluster takes to come up, to come up again, to grow and to go down.

jobctl against Docker Compose on an equivalent health-gated file, and against bare SDK calls that
start the same containers at once and know no plan: the floor.
"""
