"""Give every request an id that is also in the log, and answer errors with the console's own pages."""

import gzip
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from console.core.bodies import TOO_LARGE
from console.core.deep_stack import deep_stack
from console.core.errors import BadInput, Refusal, TooLarge
from console.core.ids import request_id, uuid7
from console.core.races import lost
from console.pages.views import errors

_PROGRAMS = "/api/"
_NUL = "%00"  # which nothing that is stored can hold


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    @deep_stack  # all that Django does for a request is called from here
    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid7()  # type: ignore[attr-defined]
        if _NUL in request.META.get("QUERY_STRING", "") and not request.path.startswith(_PROGRAMS):
            # Nobody types it, and no search finds it: a page is read as if it were not there.
            request.META["QUERY_STRING"] = request.META["QUERY_STRING"].replace(_NUL, "")
        response = self.get_response(request)
        response["X-Request-Id"] = request_id(request.request_id)  # type: ignore[attr-defined]
        return response


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serve static files whole and, where that helps, compressed.

    Django would turn an open file into an asynchronous stream by reading it whole anyway, and warn about it each time.
    Our files are small and few, so each is compressed once and kept.
    """

    def add_files(self, root: str | Path, prefix: str | None = None) -> None:
        # Without `collectstatic` there is no such folder, and the finders know where the files are.
        if self.autorefresh or Path(root).is_dir():
            super().add_files(root, prefix)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        headers = dict(found.headers)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        if found.status == HTTPStatus.OK and headers.get("Content-Type", "").startswith(_COMPRESSIBLE):
            headers["Vary"] = "Accept-Encoding"
            if body and "gzip" in request.headers.get("Accept-Encoding", ""):
                body = _compressed(body)
                headers["Content-Encoding"] = "gzip"
        if body:
            headers["Content-Length"] = str(len(body))
        return HttpResponse(body, status=int(found.status), headers=headers)


_COMPRESSIBLE = ("text/", "application/javascript", "image/svg+xml")


@lru_cache(maxsize=64)
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=9, mtime=0)


class BodyMiddleware:
    """Refuse what was too large to be read (see `console.core.bodies`), or cannot be read, in the face's words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = getattr(request, "scope", {}).get(TOO_LARGE)
        if limit is not None:
            return errors.refused(
                request, TooLarge(f"What was sent is larger than {limit:,} bytes, the most there may be here.")
            )
        if "\0" in request.path:
            return errors.not_found(request)
        if _NUL in request.META.get("QUERY_STRING", "") and request.path.startswith(_PROGRAMS):
            return errors.refused(request, BadInput("The address holds a NUL character, which nothing here can hold."))
        return self.get_response(request)


class PageMiddleware:
    """Keep answers out of caches. Turn refusals that no view caught, and what only forms open, into a page or a toast.

    The same address answers with a page or, for htmx, with a piece of it: caches must not mix the two up. And pages,
    JSON and files may hold a key or an answer, which neither a shared cache nor the browser's disk should keep.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and request.method == "GET" and not response.content:
            allowed, response = response["Allow"], errors.not_to_open(request)
            response["Allow"] = allowed
        if response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["HX-Request"])
        response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if (refusal := exception if isinstance(exception, Refusal) else lost(exception)) is not None:
            return errors.refused(request, refusal)
        # Fields that a form checks name the character themselves, and keep what was typed. This is for all others.
        if isinstance(exception, DataError) and (field := _field_with_nul(request)):
            name = field.replace("\0", "")
            return errors.refused(
                request, BadInput(f"{name} holds a NUL character (U+0000), which cannot be kept: take it out.")
            )
        return None


def _field_with_nul(request: HttpRequest) -> str | None:
    """Return the name of the first field of a form that holds what no column can, or has it in its name."""
    return next(
        (name for name, values in request.POST.lists() if any("\0" in str(one) for one in (name, *values))), None
    )
