"""AMQP and SQS, by kombu.

Queues are not declared: one that is not there is a mistake in a name, and whoever runs the broker says how it is kept.
On AMQP the broker confirms what it is sent, and returns what fits no queue.
"""

import json
import re
from typing import Any

from kombu import Connection, Exchange, Producer

from agents_app.brokers.address import AMQP, SQS, Address
from agents_app.brokers.failures import SECONDS, spoken, text_of
from agents_app.brokers.message import Message

_JSON = "application/json"
_NOT_FOR_SQS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def connection_to(address: Address, *queues: str) -> Connection:
    """Return a connection that is not open yet, of the parts of an address and nothing else."""
    if address.kind == AMQP:
        checked = {"context": {"check_hostname": True}, "server_hostname": address.host}
        return Connection(
            hostname=address.host,
            userid=address.user or None,
            password=address.password or None,
            port=address.port,
            virtual_host=address.path,
            transport="amqp",
            ssl=checked if address.is_tls else False,
            connect_timeout=SECONDS,
            transport_options={"confirm_publish": True, "read_timeout": SECONDS, "write_timeout": SECONDS},
        )
    return _sqs(address, queues)


def _sqs(address: Address, queues: tuple[str, ...]) -> Connection:
    """Queues of SQS are named by their URLs: nothing is listed or made, so the keys need no right to."""
    is_own = bool(address.port)
    return Connection(
        hostname=address.host if is_own else None,
        port=address.port if is_own else None,
        userid=address.user,
        password=address.password,
        transport="sqs",
        transport_options={
            "region": address.region,
            "is_secure": address.is_tls,
            "predefined_queues": {
                _name_at(address, queue): {"url": queue, "region": address.region} for queue in queues
            },
            "wait_time_seconds": SECONDS - 1,
            "client-config": {
                "connect_timeout": SECONDS,
                "read_timeout": 2 * SECONDS,
                "retries": {"max_attempts": 1},
                "proxies": {},  # not those of the environment: only BROKER_HOSTS are spoken to
            },
        },
    )


def _name_at(address: Address, queue: str) -> str:
    return queue.rpartition("/")[2] if address.kind == SQS else queue


class KombuConsumer:
    """One queue, read message by message."""

    def __init__(self, address: Address, queue: str) -> None:
        self._is_amqp = address.kind == AMQP
        self._queue = _name_at(address, queue)
        self._sqs_url = queue if address.kind == SQS else ""
        self._connection = connection_to(address, queue)
        try:
            self._connection.connect()
            self._channel = self._connection.channel()
            if self._is_amqp:
                self._channel.queue_declare(self._queue, passive=True)
            else:
                self._channel.do_restore = False  # what is not settled comes back by itself
        except BaseException:
            self.close()
            raise

    def take(self) -> Message | None:
        with spoken():
            delivery = self._channel.basic_get(self._queue)
        if delivery is None:
            return None
        return _of_amqp(delivery) if self._is_amqp else _of_envelope(delivery)

    def ack(self, message: Message) -> None:
        with spoken():
            self._channel.basic_ack(message.tag)

    def requeue(self, message: Message) -> None:
        with spoken():
            if self._sqs_url:
                # kombu would look for where it came from, which messages of other senders do not say.
                client = self._channel.sqs(queue=self._queue)
                client.change_message_visibility(QueueUrl=self._sqs_url, ReceiptHandle=message.tag, VisibilityTimeout=0)
                self._channel.qos.ack(message.tag)
            else:
                self._channel.basic_reject(message.tag, requeue=True)

    def close(self) -> None:
        try:
            with spoken():
                self._connection.release()
        except Exception:  # noqa: S110  # it is gone already, in whatever way
            pass


def _of_amqp(delivery: Any) -> Message:
    """Read a message of AMQP as it is: kombu would unpack and decode what a stranger packed."""
    properties = delivery.properties
    headers = properties.get("application_headers") or {}
    return Message(
        body=delivery.body if isinstance(delivery.body, bytes) else str(delivery.body).encode(),
        tag=delivery.delivery_tag,
        message_id=text_of(properties.get("message_id")),
        correlation_id=text_of(properties.get("correlation_id")),
        headers=dict(headers),
    )


def _of_envelope(delivery: Any) -> Message:
    properties = delivery.properties
    sqs = (delivery.delivery_info or {}).get("sqs_message") or {}
    body = delivery.body if delivery.body is not None else b""
    return Message(
        body=body if isinstance(body, bytes) else str(body).encode(),
        tag=delivery.delivery_tag,
        message_id=text_of(properties.get("message_id") or sqs.get("MessageId")),
        correlation_id=text_of(properties.get("correlation_id")),
        headers=dict(delivery.headers or {}),
        is_plain=bool(sqs) and not delivery.content_type,
    )


def publish(address: Address, queue: str, message: Message) -> None:
    with connection_to(address, queue) as connection:
        if address.kind == SQS and message.is_plain:
            return _put_plain(connection.channel().sqs(queue=_name_at(address, queue)), queue, message)
        producer = Producer(connection.channel(), exchange=Exchange(""), auto_declare=False)
        kind, encoding = (_JSON, "utf-8") if _is_json(message.body) else ("application/octet-stream", "binary")
        more: dict[str, Any] = {"mandatory": True} if address.kind == AMQP else {}
        if address.kind == SQS and queue.endswith(".fifo"):
            more = {"MessageDeduplicationId": message.message_id, "MessageGroupId": "facet"}
        producer.publish(
            message.body,
            routing_key=_name_at(address, queue),
            content_type=kind,
            content_encoding=encoding,
            headers=message.headers,
            message_id=message.message_id,
            correlation_id=message.correlation_id or None,
            delivery_mode=2,
            retry=False,
            **more,
        )


def _is_json(body: bytes) -> bool:
    """Return whether a reader can take it for JSON; what is set aside may be anything."""
    try:
        json.loads(body.decode())  # of bytes it would take UTF-16, too
    except (ValueError, RecursionError):
        return False
    return True


def _put_plain(client: Any, queue: str, message: Message) -> None:
    """Answer who does not speak kombu, whose envelope is base64 twice over: the text itself, with attributes."""
    said = {"message_id": message.message_id, "correlation_id": message.correlation_id, **message.headers}
    texts = {name: _NOT_FOR_SQS.sub("\ufffd", str(value)) for name, value in said.items() if value != ""}
    more = {"MessageDeduplicationId": message.message_id, "MessageGroupId": "facet"} if queue.endswith(".fifo") else {}
    client.send_message(
        QueueUrl=queue,
        MessageBody=_NOT_FOR_SQS.sub("\ufffd", message.body.decode(errors="replace")),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in texts.items()},
        **more,
    )


def ping(address: Address) -> None:
    """Open a connection. Of SQS nothing is asked: its keys have rights to queues, and a line says which."""
    if address.kind == SQS:
        import boto3  # noqa: F401
    else:
        with connection_to(address) as connection:
            connection.connect()
