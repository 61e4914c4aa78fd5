"""The master: the HTTP service in front of the queue and the job files."""
