"""The controller: pure decisions, and one loop that carries them out."""
