"""/v1/files in OpenAI's format: upload, list, retrieve, download, delete."""

import asyncio
import datetime as dt
import hashlib
from typing import IO, Any

import orjson
from django.db import transaction

from console.api.v1 import rows, uploads
from console.api.v1.once import Answer, digest, once
from console.api.v1.request import Request
from console.api.v1.sending import Send, common_headers, send_json
from console.audit.models import EventType
from console.batches import access, storage
from console.batches.models import File, Purpose
from console.batches.services.creator import Creator
from console.batches.services.files import delete_file, read_file, upload_file
from console.core.errors import BadInput, Refusal
from console.core.parsing import number
from console.teams.callers import Caller
from console.teams.models import Team

ROUTE = "/v1/files"
PREFIX = "file-"


def shape(file: File) -> dict[str, Any]:
    return {
        "id": file.public_id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": int(file.expires_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def creator_of(client: rows.Client) -> Creator:
    key = client.asker.key
    assert key is not None
    team = Team(pk=key.team.id, slug=key.team.slug, name=key.team.name)
    return Creator(client.caller.actor, team, key.environment, key_id=key.id)


async def upload(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.FILES.value, ROUTE)
    with uploads.spool() as body:
        try:
            await uploads.receive(request, body)
        except Refusal as refusal:
            raise await client.refuse(refusal) from None
        answer = await client.do(_keep, client, body)
    await send_json(send, request, 200, answer.body, answer.headers)


def _keep(client: rows.Client, body: IO[bytes]) -> Answer:
    form = uploads.parse(client.request, body)
    with form.file as content:

        def make() -> dict[str, Any]:
            file = upload_file(
                creator=creator_of(client),
                filename=content.name or "file",
                purpose=form.fields.get("purpose", ""),
                content=content.chunks(),
                keep=_keep_for(form.fields),
            )
            return shape(file)

        return once(client, lambda: _digest(form), make)


def _digest(form: uploads.Form) -> bytes:
    """Return the digest of a form, whatever boundary it was sent with."""
    hasher = hashlib.sha256(digest([form.file.name, sorted(form.fields.items())]))
    for chunk in form.file.chunks():
        hasher.update(chunk)
    return hasher.digest()


def _keep_for(fields: dict[str, str]) -> dt.timedelta | None:
    """Return how long the client wants the file kept, in OpenAI's words; None when it does not say."""
    seconds_given = fields.get("expires_after[seconds]")
    if seconds_given is None:
        return None
    if fields.get("expires_after[anchor]", "created_at") != "created_at":
        raise BadInput("expires_after counts from created_at.", param="expires_after[anchor]")
    seconds = number(seconds_given, 0)
    if not 3600 <= seconds <= 2_592_000:
        raise BadInput("expires_after takes 3600 to 2592000 seconds.", param="expires_after[seconds]")
    return dt.timedelta(seconds=seconds)


async def list_files(request: Request, send: Send) -> None:
    client = await rows.authenticate(request, EventType.FILES.value, ROUTE)

    def read() -> dict[str, Any]:
        by = rows.paging(request, usual=100, most=10_000)
        files = access.files_for(client.caller)
        if (purpose := by.others.get("purpose")) is not None:
            if purpose not in Purpose.values:
                raise BadInput(f"purpose is one of {', '.join(Purpose.values)}.", param="purpose")
            files = files.filter(purpose=purpose)
        return rows.page(files, by, PREFIX, "file", shape)

    await send_json(send, request, 200, orjson.dumps(await client.do(read)), [])


def _file(caller: Caller, name: str, to: str) -> File:
    return access.file_for(caller, rows.identifier(name, PREFIX, "file"), to=to)


async def retrieve(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.FILES.value, f"{ROUTE}/{{file_id}}")
    file = await client.do(_file, client.caller, name, "see")
    await send_json(send, request, 200, orjson.dumps(shape(file)), [])


async def delete(request: Request, send: Send, name: str) -> None:
    client = await rows.authenticate(request, EventType.FILES.value, f"{ROUTE}/{{file_id}}")

    def delete() -> str:
        file = _file(client.caller, name, "change")
        public_id = file.public_id
        delete_file(actor=client.caller.actor, file=file, surface="api")
        return public_id

    deleted = {"id": await client.do(delete), "object": "file", "deleted": True}
    await send_json(send, request, 200, orjson.dumps(deleted), [])


async def content(request: Request, send: Send, name: str) -> None:
    """Send a file's bytes, a chunk at a time: as an attachment of a fixed type, under a name of ours."""
    client = await rows.authenticate(request, EventType.FILES.value, f"{ROUTE}/{{file_id}}/content")

    @transaction.atomic
    def read() -> File:
        file = _file(client.caller, name, "read")
        read_file(actor=client.caller.actor, file=file, team=file.team, surface="api")
        return file

    file = await client.do(read)
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", str(file.bytes).encode()),
        (b"content-disposition", f'attachment; filename="{file.public_id}"'.encode()),
        (b"content-security-policy", b"sandbox"),
        *common_headers(request),
    ]
    request.is_answered = True
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    chunks = storage.chunks(file.pk)
    while (chunk := await asyncio.to_thread(rows.with_database, next, chunks, None)) is not None:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
