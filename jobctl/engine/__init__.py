"""The container engine behind a narrow seam: typed requests in, plain data out."""
