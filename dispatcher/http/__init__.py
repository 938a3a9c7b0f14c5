"""The HTTP API: one table of calls, a module for each group, and requests and answers as API Gateway has them."""
