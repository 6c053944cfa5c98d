"""Describe a broker's failure in one sentence, whichever of three libraries raised it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis.exceptions
from amqp import exceptions as amqp
from kombu.exceptions import KombuError

SECONDS = 5


class BrokerTrouble(Exception):
    """The broker cannot be reached, or will not do it. Says nothing of addresses, or of what strangers answered."""


def _describe(error: Exception) -> str:
    match error:
        case amqp.AccessRefused() | redis.exceptions.AuthenticationError() | redis.exceptions.NoPermissionError():
            return "The broker does not let this user in, or not at this queue."
        case amqp.ChannelError() if str(error.reply_code) == "404":
            return "There is no such queue at the broker."
        case amqp.NotAllowed():
            return "The broker does not have this virtual host, or not for this user."
        case amqp.AMQPError() if getattr(error, "reply_code", 0) == 312:
            return "There is no such queue at the broker to send to."
        case redis.exceptions.ConnectionError() | redis.exceptions.TimeoutError() | OSError():
            return "The broker cannot be reached."
        case redis.exceptions.ResponseError() if "WRONGTYPE" in str(error):
            return "The broker refused: what is there under this name is no queue."
        case redis.exceptions.ResponseError():
            return "The broker refused."
        case ImportError():
            return "SQS needs packages that are not installed here: those of requirements/sqs.txt."
    return _said_of_sqs(error)


def _said_of_sqs(error: Exception) -> str:
    """Return what botocore means, whose classes are there only where SQS is used."""
    name = type(error).__name__
    if code := str(getattr(error, "response", {}).get("Error", {}).get("Code", "")):
        return f"SQS refused: {code[:60]}."
    if name in {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"}:
        return "The broker cannot be reached."
    return f"The broker refused, or the connection broke ({name[:60]})."


def _errors() -> tuple[type[Exception], ...]:
    found: tuple[type[Exception], ...] = (OSError, KombuError, amqp.AMQPError, redis.exceptions.RedisError, ImportError)
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return found
    return (*found, BotoCoreError, ClientError)


@contextmanager
def spoken() -> Iterator[None]:
    """Turn what three libraries raise into one sentence."""
    try:
        yield
    except _errors() as error:
        raise BrokerTrouble(_describe(error)) from error


def text_of(value: Any, most: int = 255) -> str:
    """Return a property of a message as text that can be kept; senders put there what they like."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return ""
    # Half of a surrogate pair is no character, though JSON and AMQP can spell one.
    return text[:most].replace("\x00", "").encode(errors="replace").decode()
