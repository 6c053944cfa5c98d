"""Additions to the OpenAPI document that serializers do not express."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same request sent again within 24 hours with the same key is answered again, and changes nothing.",
)

# Where the document's chapter is not called like the folder, or the module, a view stands in.
_CHAPTERS = {
    "catalog": "models",
    "quotas": "usage",
    "runs.approvals": "approvals",
    "runs.triggers": "agents",
    "runs.versions": "agents",
    "tools.queues": "queues",
}


class Schema(AutoSchema):
    """Puts each endpoint into the chapter of its room, and names the header every change of the API takes."""

    def get_tags(self) -> list[str]:
        module = type(self.view).__module__.removeprefix("console.api.manage.")
        room = module.partition(".")[0]
        return [_CHAPTERS.get(module) or _CHAPTERS.get(room, room)]

    def get_override_parameters(self) -> list[Any]:
        is_claimed = self.method == "POST" and not getattr(self.view, "calls_out", True)
        return [IDEMPOTENCY_KEY] if is_claimed else []
