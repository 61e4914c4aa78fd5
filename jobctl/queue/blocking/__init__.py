"""The parts of `Queue`, each for one kind of caller."""
