"""Strict JSON bodies, and forms with a file where one is allowed."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from rest_framework.parsers import BaseParser, MultiPartParser

from console.core import strict_json
from console.core.errors import BadInput, TooLarge


class StrictJSONParser(BaseParser):
    """Read one JSON object; refuses what is ambiguous, and what forms can send, by its media type."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        raw = stream.read(settings.GATEWAY_BODY_BYTES + 1)
        if len(raw) > settings.GATEWAY_BODY_BYTES:
            raise TooLarge(f"The body is larger than {settings.GATEWAY_BODY_BYTES:,} bytes.")
        value, _ = strict_json.loads(raw)
        if not isinstance(value, dict):
            raise BadInput("The body must be a JSON object.")
        return value


class UploadParser(MultiPartParser):
    """Read a form with a file. Whoever sends it with a session sends the token of that session too, as with JSON."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
            raise TooLarge("The form has more, or longer, fields than a file needs.") from None
