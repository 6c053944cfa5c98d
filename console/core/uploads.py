"""Limit the size of a form with a file before it is parsed."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from console.core.bodies import FORM_FIELDS


class SizeLimitHandler(FileUploadHandler):
    """The first upload handler: refuses by the length the request states. Servers cut a body that is longer."""

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        if content_length > settings.FILE_MAX_BYTES + FORM_FIELDS:
            raise RequestDataTooBig(f"The form is larger than {settings.FILE_MAX_BYTES:,} bytes.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data  # the next handler keeps it

    def file_complete(self, file_size: int) -> None:
        return None
