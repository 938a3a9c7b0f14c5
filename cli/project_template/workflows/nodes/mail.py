"""Mail to customers."""

from pydantic import BaseModel

from engine import Registry, RetryPolicy, Step


class Mail(BaseModel):
    """What is to be sent."""

    to: str
    subject: str
    text: str


class Sent(BaseModel):
    """What was sent, under which name."""

    message_id: str
    to: str


def send(mail: Mail, step: Step) -> Sent:
    """Sends a mail. The key is the same for every repetition of a step, so the mail service drops the second one."""
    # Call your mail service here, with key=step.idempotency_key.
    return Sent(message_id=step.idempotency_key, to=mail.to)


def register(registry: Registry) -> None:
    """Registers this file's node types."""
    registry.node("send-mail", retry_policy=RetryPolicy(4, interval=2000, backoff="exponential", jitter="full"))(send)
