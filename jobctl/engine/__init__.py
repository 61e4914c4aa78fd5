"""The container engine behind a narrow seam: typed requests in, plain data out."""

from jobctl.engine.connect import open_engine

__all__ = ["open_engine"]
