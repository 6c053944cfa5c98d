"""Read an untrusted OpenAPI document (3.0 to 3.2), JSON or YAML.

It is bounded, and YAML knows no anchors and no types. What it says is for `openapi.py`.
"""

import math
import re
from typing import Any

import yaml

from console.core import strict_json
from console.core.errors import BadInput

LARGEST = 1024 * 1024


class _Loader(yaml.CSafeLoader):
    """Knows numbers, yes and no as JSON has them: no dates, no `off`, no octal."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _expression, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"-?(?:0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_expression})\Z"), list(_first))
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"\Z")))


def read_document(text: str) -> dict[str, Any]:
    """Return a document from JSON or YAML; BadInput says why it cannot be read."""
    if len(text.encode(errors="replace")) > LARGEST:
        raise BadInput("The document is larger than 1 MiB; take out what you do not need.", param="document")
    if text.lstrip()[:1] == "{":
        try:
            document, _ = strict_json.loads(text.encode(errors="surrogatepass"))
        except BadInput as wrong:
            raise BadInput(wrong.message.replace("The body", "The document"), param="document") from None
    else:
        document = _of_yaml(text)
    if isinstance(document, dict) and "swagger" in document:
        raise BadInput("This is Swagger 2.0; have a converter make OpenAPI 3 of it first.", param="document")
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith(("3.0", "3.1", "3.2")):
        raise BadInput("This is not an OpenAPI document of version 3.0, 3.1 or 3.2.", param="document")
    if not isinstance(document.get("paths"), dict):
        raise BadInput("The document has no paths, so there is nothing to import.", param="document")
    return document


def _of_yaml(text: str) -> Any:
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise BadInput("The document uses YAML anchors; write it without them, or as JSON.", param="document")
            if getattr(event, "tag", None) is not None:
                # What reads a type by name breaks in ways of its own, and takes minutes for a number in sixties.
                raise BadInput("The document uses YAML tags (!!int); write plain values.", param="document")
            # As early as this: each further level makes every token after it dearer to read.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > strict_json.MAX_DEPTH:
                raise _too_deep()
        return _plain(yaml.load(text, Loader=_Loader), 0)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise BadInput(f"The document is neither JSON nor YAML{where}.", param="document") from None


def _too_deep() -> BadInput:
    return BadInput(f"The document nests more than {strict_json.MAX_DEPTH} levels.", param="document")


def _plain(value: Any, depth: int) -> Any:
    if depth > strict_json.MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return {_plain(str(key), depth): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, str) and "\0" in value:
        raise BadInput("The document holds a NUL character.", param="document")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput("The document holds a number too large to be one.", param="document")
    return value if isinstance(value, str | int | float | bool | None) else str(value)
