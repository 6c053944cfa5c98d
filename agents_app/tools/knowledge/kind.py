"""Search the documents of the agent's team: by words and by meaning, in the collections the tool names.

What comes back is a stranger's text as far as the model is concerned, like every other tool's result. The vector of the
question is an ordinary call by whoever the run acts for.
"""

from collections.abc import Mapping
from typing import Any

from agents_app.tools import config_fields
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut, within
from console.core.connections import in_thread
from console.core.errors import BadInput, Refusal
from console.core.formatting import plural
from console.gateway.sources import as_source
from console.knowledge.access import get_all, get_collections
from console.knowledge.embedding import CallOrigin
from console.knowledge.errors import UnknownCollection
from console.knowledge.search import MOST_COLLECTIONS, MOST_FOUND, FoundPassage, search
from console.teams.models import Team

USUAL = 5


class Knowledge:
    slug = "knowledge"
    label = "Knowledge search"
    icon = "file-text"
    sentence = "Find passages in your documents, each with the document and version it stands in."
    description = (
        "Search our documents. Give a whole question; passages come back, best first, each with its document and "
        "version. Name the document when you answer from one."
    )
    effect = "read"
    is_idempotent = True
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        collections = list(config.get("collections", []))
        properties: dict[str, Any] = {
            "query": {"type": "string", "minLength": 1, "maxLength": 1_000, "description": "What you want to know."}
        }
        if len(collections) > 1:
            properties["collection"] = {
                "type": "string",
                "enum": collections,
                "description": "Search only this collection; without it, all.",
            }
        return {"type": "object", "properties": properties, "required": ["query"], "additionalProperties": False}

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("collections", "passages"))
        collections = config_fields.texts(config, "collections", most=MOST_COLLECTIONS, longest=64)
        if not collections:
            raise BadInput("Name at least one collection of documents it may search.", param="collections")
        passages = config_fields.number(config, "passages", least=1, most=MOST_FOUND, default=USUAL)
        return {"collections": collections, "passages": passages}

    def check_names(self, config: Mapping[str, Any], team: Team) -> None:
        try:
            get_collections(team.pk, config["collections"], "collections")
        except UnknownCollection as unknown:
            raise BadInput(unknown.message, param=unknown.param) from None

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        only = str(call.arguments.get("collection", ""))
        slugs = [slug for slug in call.config["collections"] if slug == only or not only]
        asked = CallOrigin(
            surface="agent",
            route=f"tool {call.tool_name}",
            client_request_id=call.run,
            end_user=call.end_user,
            metadata=call.metadata,
        )
        try:
            async with within(call.seconds):
                collections = await in_thread(lambda: get_all(call.team_id, slugs))
                done = await search(
                    call.identify,
                    collections,
                    str(call.arguments["query"]),
                    call.config.get("passages", USUAL),
                    origin=asked,
                )
        except Refusal as refusal:
            raise ToolFailed(refusal.message) from None
        except TimeoutError:
            raise ToolFailed("The search took too long.", may_retry=True) from None
        return Result(
            cut("\n".join(map(_format, done.found)) or "No passage was found.", call.most_bytes),
            note=f"{plural(len(done.found), 'passage')}, {'by words and meaning' if done.by_meaning else 'by words'}",
            request_id=done.request_id,
            tokens=done.tokens,
            cost_micros=done.cost_micros,
        )


def _format(passage: FoundPassage) -> str:
    """Return a passage so that its words cannot name another source."""
    return as_source(
        passage.text,
        document=passage.document,
        version=passage.version,
        heading=passage.heading,
        collection=passage.collection,
    )
