"""The cloud on a laptop: emulated AWS, an HTTP front and a queue poller around the real handlers."""

from local.stack import LocalStack

__all__ = ["LocalStack"]
