"""What the OpenAPI document says besides what the serializers say."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same request sent again within 24 hours with the same key is answered again, and changes nothing.",
)


class Schema(AutoSchema):
    """Names the header every change of the API takes."""

    def get_override_parameters(self) -> list[Any]:
        is_claimed = self.method == "POST" and not getattr(self.view, "calls_out", True)
        return [IDEMPOTENCY_KEY] if is_claimed else []
