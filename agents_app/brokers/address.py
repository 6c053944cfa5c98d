"""Parse broker addresses, and allow only hosts named in the deployment's settings.

A broker stands in a private network, and its libraries open their sockets themselves; so it is the host that is
allowed, by BROKER_HOSTS, and not the address it has today. What kombu would take from a URL besides (other transports,
classes to import, several hosts, TLS without checks) is not taken.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.conf import settings

from agents_app.brokers.failures import BrokerTrouble
from agents_app.models import Broker
from console.core.crypto import SecretUnreadable, decrypt
from console.core.errors import BadInput

AMQP, REDIS, SQS = "amqp", "redis", "sqs"
_SOCKET = "redis+socket"
_KINDS = {"amqp": AMQP, "amqps": AMQP, "redis": REDIS, "rediss": REDIS, _SOCKET: REDIS, "sqs": SQS}
_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}
_QUERY = {_SOCKET: {"db"}, "sqs": {"region", "tls"}}
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Address:
    """`path` is the virtual host, the number of the database, or of a socket its file."""

    kind: str
    scheme: str
    host: str
    port: int
    user: str
    password: str
    path: str
    region: str = ""
    database: int = 0
    is_tls: bool = False

    @property
    def shown(self) -> str:
        """Return the address without its password, as people may see it."""
        who = f"{self.user}:•••@" if self.password else f"{self.user}@" if self.user else ""
        if self.kind == SQS:
            return f"sqs://{who}{self.host}" + (f":{self.port}" if self.port else "")
        if self.scheme == _SOCKET:
            return f"{self.scheme}://{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{who}{host}:{self.port}/" + ("" if self.path == "/" else self.path)

    @property
    def names(self) -> set[str]:
        """Return what BROKER_HOSTS may call it."""
        if self.scheme == _SOCKET:
            return {self.path}
        host = f"[{self.host}]" if ":" in self.host else self.host
        return {host, f"{host}:{self.port}"}


def address_of(broker: Broker) -> Address:
    """Return a broker's address; BrokerTrouble when its key is gone, BadInput when it is not allowed any more."""
    try:
        url = decrypt(broker.secret)
    except SecretUnreadable:
        raise BrokerTrouble("The broker's address cannot be read with the present ENCRYPTION_KEYS.") from None
    return parsed(url)


def parsed(url: str) -> Address:
    """Return an address that may be used; BadInput says what is wrong with it, and never repeats a password."""
    address = _parts(url.strip())
    if address.kind == REDIS and _is_our_own(address):
        raise _wrong("This is the broker Facet works with itself; its queues are nobody else's.")
    if not address.names & {name if name.startswith("/") else name.lower() for name in settings.BROKER_HOSTS}:
        allowed = ", ".join(settings.BROKER_HOSTS) or "none"
        raise _wrong(
            f"This installation may not call {min(address.names, key=len)}. Whoever runs it names the hosts of brokers "
            f"with BROKER_HOSTS; they are: {allowed}."
        )
    return address


def _parts(url: str) -> Address:
    if len(url) > _LONGEST or any(ord(c) <= 32 or ord(c) == 127 for c in url) or set(url) & set("\\;"):
        raise _wrong("The address is too long, or holds spaces, control characters, \\ or ;.")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise _wrong("The address cannot be read; write it as amqps://user:password@host:5671/vhost.") from None
    kind = _KINDS.get(split.scheme)
    if kind is None:
        schemes = ", ".join(f"{name}://" for name in _KINDS)
        raise _wrong(f"The address starts with one of {schemes}.")
    options = dict(parse_qsl(split.query, keep_blank_values=True))
    known_here = _QUERY.get(split.scheme, set())
    if options.keys() - known_here or split.fragment:
        # Not repeated: what stands there may be the rest of a password with a ? or # in it.
        rule = f"may only say {', '.join(sorted(known_here))} after a ?" if known_here else "ends before a ? or #"
        raise _wrong(f"The address {rule}. In a password write ? as %3F and # as %23.")
    user, password = unquote(split.username or ""), unquote(split.password or "")
    if kind == SQS:
        return _sqs(split, port, user, password, options)
    if split.scheme == _SOCKET:
        path, database = split.path, _number(options.get("db", "0"))
        if not path.startswith("/") or split.netloc or ".." in path:
            raise _wrong("A socket is named by its whole path: redis+socket:///run/redis.sock.")
        return Address(kind, _SOCKET, "", 0, "", "", path, database=database)
    path = unquote(split.path.removeprefix("/"))
    if kind == REDIS:
        path = str(_number(path or "0"))
    return Address(
        kind,
        split.scheme,
        _host(split),
        port or _PORTS[split.scheme],
        user,
        password,
        path or "/",
        database=int(path) if kind == REDIS else 0,
        is_tls=split.scheme in {"amqps", "rediss"},
    )


def _sqs(split: SplitResult, port: int | None, user: str, password: str, options: dict[str, str]) -> Address:
    """Amazon's own when no host is named. Keys are asked for: those of the machine are not the team's."""
    region = options.get("region", "")
    if not region.replace("-", "").isalnum() or not region.isascii():
        raise _wrong("Name the region: sqs://KEY:SECRET@?region=eu-west-1.")
    if not user or not password:
        raise _wrong("Name the access key and its secret, percent-encoded: sqs://KEY:SECRET@?region=eu-west-1.")
    if not split.hostname:
        return Address(SQS, "sqs", f"sqs.{region}.amazonaws.com", 0, user, password, "", region, is_tls=True)
    is_tls = options.get("tls", "1") != "0"
    return Address(SQS, "sqs", _host(split), port or (443 if is_tls else 80), user, password, "", region, 0, is_tls)


def _host(split: SplitResult) -> str:
    host = (split.hostname or "").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if not host or not host.isascii() or not all(c.isalnum() or c in "-._" for c in host):
            raise _wrong("The address names no host.") from None
    return host


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise _wrong("The database of a Redis is a number: redis://host:6379/0.")
    return int(text)


def _is_our_own(address: Address) -> bool:
    ours = urlsplit(settings.VALKEY_URL)
    if ours.scheme == "unix":
        return address.path == ours.path and not address.host
    same = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}
    host = (ours.hostname or "").lower()
    return bool(address.host) and (same.get(address.host, address.host), address.port) == (
        same.get(host, host),
        ours.port or 6379,
    )


def _wrong(sentence: str) -> BadInput:
    return BadInput(sentence, param="url")
