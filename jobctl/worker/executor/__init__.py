"""Python functions as jobs: the executor process, and the supervisor's side of it."""
