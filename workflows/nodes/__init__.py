"""Node types, one module a subject. Each offers ``register(registry)``."""
