"""The shell that runs on Lambda: handlers, ports, adapters. See docs/protocol.md."""
