"""The stage for benchmarks against other queues: images, settings, and one clock for all."""
