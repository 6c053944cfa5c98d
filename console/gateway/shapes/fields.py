"""What the bodies of all operations share."""

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from console.core.errors import BadInput

# Where a call goes and with whose credentials is not the caller's to say.
_NOT_THEIRS = frozenset({"api_base", "base_url", "api_key", "api_version", "headers", "extra_headers", "extra_body"})
# Labels are for our log, and whether a provider keeps an answer and at which price it gives it is Facet's to say:
# never sent on, whoever asks. A shape that has some of them lists those as WITHHELD.
NOT_SENT = frozenset({"metadata", "store", "service_tier"})

# OpenAI's limits of what a call is labelled with.
MOST_LABELS, _LONGEST_LABEL, _LONGEST_TEXT = 16, 64, 512

# Raises BadInput for a member of this name and value.
Check = Callable[[str, Any], None]


def model(body: Any) -> dict[str, Any]:
    """Return the body as an object that names a model."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    name = body.get("model")
    if not isinstance(name, str) or not name or len(name) > 200:
        raise BadInput("Name the model to call; GET /v1/models lists them.", param="model")
    return body


def check_members(body: dict[str, Any], checks: Mapping[str, Check]) -> None:
    """Check each member that is there and not null by its rule."""
    for name, value in body.items():
        check = checks.get(name)
        if check is not None and value is not None:
            check(name, value)


def whole_number(least: int, most: int) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadInput(f"{name} must be a whole number from {least} to {most:,}.", param=name)

    return check


def number(name: str, value: Any) -> None:
    if type(value) is not float and type(value) is not int:  # as JSON has them: `true` is no number
        raise BadInput(f"{name} must be a number.", param=name)


def truth(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise BadInput(f"{name} must be true or false.", param=name)


def text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text.", param=name)


def json_object(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise BadInput(f"{name} must be an object.", param=name)


def labels(name: str, value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(text_, str) for text_ in value.values()):
        raise BadInput(f"{name} must be an object of texts.", param=name)
    if len(value) > MOST_LABELS or any(len(k) > _LONGEST_LABEL or len(v) > _LONGEST_TEXT for k, v in value.items()):
        raise BadInput(
            f"{name} takes {MOST_LABELS} entries, with names of {_LONGEST_LABEL} and texts of {_LONGEST_TEXT}"
            " characters at most.",
            param=name,
        )


def others(holder: Mapping[str, Any], known_fields: Set[str], where: str) -> Iterator[str]:
    """Return the places (`tools[].async`) of what a part of a body asks for beside its `known_fields`."""
    return (f"{where}{name}" for name, value in holder.items() if value and name not in known_fields)


STREAMING: dict[str, Check] = {"stream": truth, "stream_options": json_object}
# Whose call it is. The log keeps it (`asks.py`), so it is a text here whatever a provider takes.
END_USER: dict[str, Check] = {"user": text, "safety_identifier": text}
# What it was for, which the log keeps as well.
METADATA: dict[str, Check] = {"metadata": labels}


def theirs(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body, if all in it is the caller's to say. Fields nobody knows stay (`unknown_fields.py`)."""
    if not body.keys().isdisjoint(_NOT_THEIRS):
        name = min(body.keys() & _NOT_THEIRS)
        raise BadInput(f"{name} cannot be set by a request; the alias decides where a call goes.", param=name)
    return body
