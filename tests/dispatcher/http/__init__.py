"""The HTTP API as API Gateway calls it."""
