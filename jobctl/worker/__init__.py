"""The worker: a small supervisor that claims jobs and runs each as a group of processes."""
