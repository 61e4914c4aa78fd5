"""The parts of `AsyncQueue`: those of `blocking`, method by method."""
