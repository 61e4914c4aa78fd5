"""Breaking a cluster on purpose, to show that nothing is lost."""
