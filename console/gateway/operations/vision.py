"""Images in requests: not every model accepts them, and their tokens are not a matter of bytes."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from console.catalog.shapes import VersionShape
from console.core.errors import BadInput
from console.core.pictures import Picture, estimated_tokens, pictures_in
from console.core.size import estimate_tokens
from console.gateway.operations.types import NO_VISION
from console.gateway.types import Ask


def check_sees(version: VersionShape, ask: Ask, param: str, *messages: Iterable[Any]) -> None:
    """Refuse pictures where the model is not known to look at any. Most calls are told by a search of their text."""
    if "vision" not in version.capabilities and _pictures(ask, *messages):
        raise BadInput(NO_VISION.format(ask.model), param=param)


def prompt_tokens(ask: Ask, *messages: Iterable[Any], text: str = "") -> int:
    """Return an upper estimate of what goes in: of the text, and of the pictures by their sizes."""
    of_text = estimate_tokens(text or ask.text)
    pictures = _pictures(ask, *messages)
    return estimated_tokens(pictures, of_text) if pictures else of_text


def _pictures(ask: Ask, *messages: Iterable[Any]) -> list[Picture]:
    # What is written with an escape for one of its letters is looked for as well; one character is found much sooner.
    text = ask.text
    if not ask.history and "image" not in text and ("\\" not in text or "\\u00" not in text):
        return []
    return list(pictures_in(chain.from_iterable(messages)))
