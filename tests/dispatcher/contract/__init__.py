"""One test class a port, run on every backend."""
