"""Copy sealed blocks to an S3 store that administrators of this database need not have access to.

1. Blocks leave in their order, each as one object: a line that says what the block is, then its rows.
2. Rows are digested on the way. A block that is not what was sealed stays, and all that follow it.
3. The state moves on when the store has taken a block. A worker that dies before that sends the same bytes again.

What calls said stays here: it has a retention of its own, which a copy would outlive. Its digests leave with the rows.
"""

import asyncio
import base64
import gzip
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.conf import settings

from console import outbound
from console.audit.models import AuditEvent, Seal, SealState
from console.audit.services.seal import state
from console.audit.sql import seal as sql
from console.core.clock import now
from console.core.errors import ProviderError
from console.outbound.s3 import Credentials, signed

_ROUND_SECONDS = 50.0  # of a task that comes every minute
_PUT_SECONDS = 60.0
_CHUNK = 2000
_ADDED = ("metadata", "token_kinds", "end_user")  # the last column first
_IS_THERE = 412  # to `If-None-Match: *`
_MOST_SAID = 65536
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")  # of the XML in which stores say why they refuse


class NotArchived(Exception):
    """A block did not leave; says why, without an address or a secret."""


def archive(*, seconds: float = _ROUND_SECONDS) -> int:
    """Copy what is sealed and has not left yet, for about so long; return how many blocks that were."""
    destination, until, copied = settings.AUDIT_S3_URL, time.monotonic() + seconds, 0
    if not destination:
        return 0
    present = state()
    reached = present.archived_number if present.archived_to == destination else 0
    try:
        for block in Seal.objects.filter(number__gt=reached).order_by("number").iterator(chunk_size=100):
            _put(f"{destination}/{block.number:012d}.jsonl.gz", packed(block))
            _note(destination, copied=block)
            copied += 1
            if time.monotonic() > until:
                break
    except NotArchived as failed:
        _note(destination, problem=str(failed))
    else:
        if present.archive_problem and not copied:
            _note(destination)
    return copied


def read_to() -> int:
    """Return the transaction number up to which the log was copied; without an archive nobody waits for it."""
    if not settings.AUDIT_S3_URL:
        return 1 << 62
    present = state()
    reached = present.archived_number if present.archived_to == settings.AUDIT_S3_URL else 0
    return Seal.objects.filter(number=reached).values_list("to_tx", flat=True).first() or 0


def _note(destination: str, *, copied: Seal | None = None, problem: str = "") -> None:
    """Store how far it came, or why no further. With another store it begins again.

    A slow store has the round of the next minute begin before this one ends: whichever came less far sets nothing back.
    """
    rows = SealState.objects.filter(pk=1)
    rows.exclude(archived_to=destination).update(archived_to=destination, archived_number=0, archived_at=None)
    if copied is not None:
        rows = rows.filter(archived_number__lt=copied.number)
        rows.update(archived_number=copied.number, archived_at=copied.sealed_at, archive_problem="")
    else:
        rows.update(archive_problem=problem)


class Packed(NamedTuple):
    body: bytes
    is_whole: bool = True  # retention took none of its rows


def packed(block: Seal) -> Packed:
    """Return a block as it leaves: compressed, the same bytes each time."""
    head = {
        "block": block.number,
        "format": block.format,
        "from_tx": block.from_tx,
        "to_tx": block.to_tx,
        "rows": block.rows,
        "previous": bytes(block.previous).hex(),
        "sha256": bytes(block.sha256).hex(),
        "sealed_at": block.sealed_at.isoformat(),
    }
    digests, found = hashlib.sha256(), 0
    digests.update(bytes(block.previous) + f"{block.number}:{block.from_tx}:{block.to_tx}:{block.rows}:".encode())
    lines = io.BytesIO()
    with gzip.GzipFile(fileobj=lines, mode="wb", mtime=0, filename="") as out:
        for row in _rows(block):
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            digests.update(hashlib.sha256(json.dumps(list(row.values()), ensure_ascii=False).encode()).digest())
            found += 1
    if digests.digest() == bytes(block.sha256):
        return Packed(_line(head) + lines.getvalue())
    if sql.check_blocks(block.number, block.number)[0].is_dropped:
        # Past their retention; the links of the chain stay whole. A block across the end of a month has some rows left.
        return Packed(_line({**head, "dropped": True}) + (lines.getvalue() if found else b""), is_whole=False)
    raise NotArchived(f"Block {block.number} is not what was sealed, so it was not copied.")


def _line(head: dict[str, Any]) -> bytes:
    """Return the first line as a member of its own, which gzip joins with the next."""
    return gzip.compress(json.dumps(head).encode() + b"\n", mtime=0)


def _rows(block: Seal) -> Iterator[dict[str, Any]]:
    """Yield rows by name, in the order and the writing they are digested in.

    Of the columns that came later those at the end that say nothing are left off, as in the digest.
    """
    names = [field.attname for field in AuditEvent._meta.concrete_fields]
    rows = AuditEvent.objects.filter(tx__gte=block.from_tx, tx__lt=block.to_tx).order_by("tx", "id")
    for values in rows.values_list(*names).iterator(chunk_size=_CHUNK):
        row = {name: _canonical(value) for name, value in zip(names, values, strict=True)}
        for name in _ADDED:
            if row[name]:
                break
            del row[name]
        yield row


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str | dict):
        return value
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1_000_000)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def _put(url: str, block: Packed) -> None:
    status, reason = asyncio.run(_send(url, block))
    if status == _IS_THERE and not block.is_whole:
        return
    if status not in {200, 201, 204}:
        raise NotArchived(f"The archive answered with status {status}{reason and f' ({reason})'}.")


async def _reason(reply: outbound.Reply) -> str:
    """Return a store's own word for why it refuses; empty where a proxy says something else, at any length."""
    try:
        said = _CODE.search(await reply.read(_MOST_SAID))
    except ProviderError:
        return ""
    return said[1].decode() if said else ""


async def _send(url: str, block: Packed) -> tuple[int, str]:
    """Send a block and return what the store says. One that is not whole any more takes the place of none.

    A bucket that locks what is put there takes nothing without a checksum beside the signature, and all know MD5.
    """
    body, checksum = block.body, hashlib.md5(block.body, usedforsecurity=False).digest()
    asked = {"Content-Type": "application/gzip", "Content-MD5": base64.b64encode(checksum).decode()}
    asked |= {} if block.is_whole else {"If-None-Match": "*"}
    whose = Credentials(settings.AUDIT_S3_REGION, settings.AUDIT_S3_ACCESS_KEY, settings.AUDIT_S3_SECRET_KEY)
    headers = signed("PUT", url, body, whose, at=now(), headers=asked)
    deadlines = outbound.Deadlines(10.0, _PUT_SECONDS)
    try:
        async with asyncio.timeout(_PUT_SECONDS):
            reply = await outbound.request("PUT", url, headers=headers, deadlines=deadlines, body=body)
            try:
                return reply.status, await _reason(reply) if reply.status >= 300 else ""
            finally:
                reply.close()
    except ProviderError as error:
        raise NotArchived(outbound.sentence(error, "the archive", is_operators=True)) from error
    except TimeoutError:
        raise NotArchived("The archive took too long.") from None
    finally:
        await outbound.close()
