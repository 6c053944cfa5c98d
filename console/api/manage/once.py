"""Idempotency-Key for changes in the management API: a request sent twice makes its change once."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from console.api import claims
from console.api.authentication import caller_of
from console.api.idempotency import check_key
from console.api.models import ManagementClaim

REPLAYED = "Idempotent-Replayed"

Post = Callable[..., Response]


def once(post: Post) -> Post:
    """Have a `post` of an Endpoint honour Idempotency-Key. Refusals and failures are not kept: they may be repeated."""

    @functools.wraps(post)
    def claimed(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None or view.calls_out:
            with _prepared(view, request, *args, **kwargs):
                return post(view, request, *args, **kwargs)
        caller = caller_of(request)
        actor, digest = caller.actor, claims.digest_of("manage", caller, request.path, check_key(key))
        body = hashlib.sha256(orjson.dumps(request.data, _digest_of_file, option=orjson.OPT_SORT_KEYS)).digest()
        if view.is_prepared:
            with transaction.atomic():  # before it takes long; whoever comes meanwhile is found below
                claim = claims.earlier_claim(digest, body, actor=actor, route=request.path)
            if claim is not None:
                return _replayed(claim)
        with _prepared(view, request, *args, **kwargs), transaction.atomic():
            claim = claims.earlier_claim(digest, body, actor=actor, route=request.path)
            if claim is None:
                response = post(view, request, *args, **kwargs)
                claims.keep(
                    digest,
                    body,
                    request=request._request.request_id,
                    status=response.status_code,
                    answer=_stored_body(response, view.shown_once),
                )
        if claim is None:
            return response
        view.discard()
        return _replayed(claim)

    return claimed


@contextmanager
def _prepared(view: Any, request: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
    """Prepare what a `post` needs, and take it back when that is refused or breaks."""
    view.prepare(request, *args, **kwargs)
    try:
        yield
    except BaseException:
        view.discard()
        raise


def _replayed(claim: ManagementClaim) -> Response:
    answer = orjson.loads(claim.answer) if claim.answer else None
    return Response(answer, status=claim.status, headers={REPLAYED: "true"})


def _digest_of_file(value: Any) -> list[str]:
    """Return what stands for an uploaded file where two requests are compared."""
    if not isinstance(value, UploadedFile):
        raise TypeError
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return [value.name or "", digest.hexdigest()]


def _stored_body(response: Response, shown_once: tuple[str, ...]) -> str:
    """Return an answer without what is shown once: a lost key is rotated, not read again."""
    content = response.data
    if isinstance(content, Mapping):
        content = {name: None if name in shown_once else value for name, value in content.items()}
    return "" if content is None else JSONRenderer().render(content).decode()
