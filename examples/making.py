"""Make what a story needs where it is missing. What is there stays as people left it, so a story can be told twice.

What a telling that broke off left half made is finished by the next one.
"""

from typing import Any

from examples.console import Console, Trouble

_REASON = "Set up by an example"


def ensure_model(console: Console, *, alias: str, name: str, base_url: str, about: str) -> None:
    """Have an alias that a scripted model answers. An alias that is pinned stays where it is pinned."""
    provider = console.find(f"providers/{name}/")
    if provider is None:
        fields = {"slug": name, "name": f"Scripted: {name}", "kind": "openai", "base_url": base_url}
        provider = console.ask("POST", "providers/", fields)
    elif provider["base_url"] != base_url:
        console.ask("PATCH", f"providers/{name}/", {"base_url": base_url, "seen_revision": provider["revision"]})
    found = console.find(f"aliases/{alias}/") or console.ask("POST", "aliases/", {"name": alias, "description": about})
    pinned = {pin["environment"] for pin in found["pins"]}
    for environment in {"production", "sandbox"} - pinned:
        move = {"model_version": _model(console, name), "reason": _REASON, "seen_revision": 0}
        console.ask("PUT", f"aliases/{alias}/pins/{environment}/", move)


def _model(console: Console, provider: str) -> str:
    """Return the id of the scripted model. Its price is invented, so that bills are not empty."""
    for model in every(console, "models/"):
        if model["provider"] == provider:
            return str(model["id"])
    fields = {"name": provider, "context_tokens": 32_000, "max_output_tokens": 4_000, "capabilities": ["chat", "tools"]}
    made = console.ask("POST", f"providers/{provider}/models/", fields)
    console.ask("POST", f"models/{made['id']}/prices/", {"input": "10.00", "output": "40.00"})
    return str(made["id"])


def ensure_prompt(console: Console, slug: str, text: str, *, kind: str = "text", about: str = "") -> str:
    """Have a prompt that is published in both environments, and return its name.

    Where another team has one of that name, it is left alone and the story's own stands in the folder of its team.
    """
    found = console.find(f"prompts/{slug}/")
    if found and found["team"] != console.team:
        slug = f"{console.team}/{slug}"
        found = console.find(f"prompts/{slug}/")
    if found and found["team"] != console.team:
        raise Trouble(
            f"The team {found['team']} has the prompt {slug!r} already, and this story makes one in {console.team}.\n"
            "Tell it to another console: `make run` and this command with another DATA_DIR and PORT."
        )
    if not found:
        fields = {"team": console.team, "slug": slug, "kind": kind, "description": about}
        console.ask("POST", "prompts/", fields | {"content": [{"role": "", "text": text}], "message": _REASON})
    for label in ("production", "staging"):
        if not console.find(f"prompts/{slug}/-/labels/{label}/"):
            publish = {"version": 1, "reason": _REASON, "seen_revision": 0}
            console.ask("PUT", f"prompts/{slug}/-/labels/{label}/", publish)
    return slug


def ensure_collection(console: Console, slug: str, *, name: str, about: str) -> str:
    """Have a collection of documents, and return its id. It is searched by words, which needs no model."""
    for one in every(console, f"knowledge/collections/?team={console.team}"):
        if one["slug"] == slug:
            return str(one["id"])
    fields = {"team": console.team, "slug": slug, "name": name, "description": about}
    return str(console.ask("POST", "knowledge/collections/", fields)["id"])


def ensure_document(console: Console, collection: str, name: str, text: str) -> dict[str, Any]:
    """Have a document in a collection, and return how it stands."""
    path = f"knowledge/collections/{collection}/documents/"
    for one in every(console, path):
        if one["name"] == name:
            return dict(one)
    return dict(console.ask("POST", path, {"name": name, "text": text, "message": _REASON}))


def ensure_tool(console: Console, slug: str, **fields: Any) -> None:
    """Have a tool; one that calls another address than is asked for now is changed."""
    found = console.ask("GET", f"tools/?team={console.team}&slug={slug}")["data"]
    if not found:
        console.ask("POST", "tools/", {"team": console.team, "slug": slug, **fields})
    elif found[0]["config"].get("url") != fields["config"].get("url"):
        change = {"config": fields["config"], "revision": found[0]["revision"]}
        console.ask("PATCH", f"tools/{found[0]['id']}/", change)


def ensure_agent(console: Console, slug: str, **fields: Any) -> None:
    """Have an agent that answers."""
    found = console.find(f"agents/{slug}/")
    if found is None:
        console.ask("POST", "agents/", {"team": console.team, "slug": slug, **fields})
    elif found["team"] != console.team:
        raise Trouble(
            f"The team {found['team']} has an agent {slug!r} already, and this story makes one in {console.team}.\n"
            "Tell it to another console: `make run` and this command with another DATA_DIR and PORT."
        )
    if console.ask("GET", f"agents/{slug}/")["live"] is None:
        draft = console.ask("GET", f"agents/{slug}/draft/")
        if draft["problems"]:
            needed = {name: value for name, value in fields.items() if name in draft}
            draft = console.ask("PATCH", f"agents/{slug}/draft/", needed | {"revision": draft["revision"]})
        console.ask("POST", f"agents/{slug}/publish/", {"revision": draft["revision"], "message": _REASON})


def ensure_bill(console: Console, alias: str, *, most: str) -> dict[str, Any]:
    """Have a hard limit on what an alias may cost the team in a month, and return how it stands."""
    for quota in every(console, f"quotas/?team={console.team}&alias={alias}"):
        if quota["metric"] == "cost" and quota["alias"] == alias:
            return dict(quota)
    fields = {"team": console.team, "alias": alias, "metric": "cost", "window": "month", "limit": most}
    return dict(console.ask("POST", "quotas/", fields))


def every(console: Console, path: str) -> list[Any]:
    """Return the rows of all pages of a list."""
    found: list[Any] = []
    cursor = ""
    while True:
        page = console.ask("GET", f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
        found += page["data"]
        if not page["next"]:
            return found
        cursor = f"&cursor={page['next']}"
