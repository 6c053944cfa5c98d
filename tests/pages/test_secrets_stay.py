"""Secrets that were saved are nowhere to be read: on no page, in no answer of /api/, row, export or line of the log."""

import json
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import Client

from agents_app.models import Broker, Queue, Tool, ToolServer, Trigger
from console.catalog.models import Provider
from console.chat.models import Widget
from tests import make
from tests.conftest import Cast
from tests.make import client_of

WORD = "nightingale"  # in every secret, and in nothing else
TABLES = (
    "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' AND c.relkind = 'r'"
)


def secret(name: str) -> str:
    return f"{WORD}-{name}-0123456789"


def ask(client: Client, method: str, path: str, body: Any, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.generic(method, f"/api/{path}", json.dumps(body), "application/json", headers=headers)


def furnish(client: Client, cast: Cast) -> None:
    """Set everything up by the API, as anybody's program would, and change each secret once."""
    make.make_alias("support-chat", production=make.make_model())
    make.make_agent(cast.team_a, "clerk", name="Clerk")
    team, url = {"team": "team-a"}, "https://shop.example/orders/{order}"
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    place = {"in": "header", "name": "X-Key", "prefix": ""}
    made: tuple[tuple[str, dict[str, Any]], ...] = (
        ("providers/", {"slug": "p", "name": "P", "kind": "openai", "base_url": "https://a.example/v1"}),
        (
            "tools/",
            team
            | {"slug": "look", "kind": "http", "description": "d", "parameters": schema}
            | {"config": {"url": url, "secret": place}},
        ),
        ("tool-servers/", team | {"slug": "s", "address": "https://mcp.example/mcp"}),
        ("brokers/", team | {"slug": "b", "url": f"redis://:{secret('brokers')}@127.0.0.1:1/0"}),
    )
    for path, body in made:
        body |= {} if "url" in body else {"secret": secret(path)}
        answer = ask(client, "POST", path, body, key=path)
        assert answer.status_code == 201 and WORD not in answer.text, answer.text
        one = f"{path}{answer.json().get('id') if path != 'providers/' else 'p'}/"
        change = {"url": f"redis://:{secret('again')}@127.0.0.1:1/0"} if "url" in body else {"secret": secret("again")}
        answer = ask(client, "PATCH", one, change)
        assert answer.status_code == 200 and WORD not in answer.text, answer.text
        for wrong in (
            {"secret": f"{secret('wrong')}\n"},
            {"secret": [secret("wrong")]},
            {"url": f"x:{secret('wrong')}"},
        ):
            assert WORD not in ask(client, "PATCH", one, wrong).text
    make.make_queue(cast.team_a, "q")
    make.make_widget(cast.team_a)


def test_what_was_saved_is_nowhere_to_be_read(cast: Cast) -> None:
    cast.alice.is_superuser = True
    cast.alice.save()
    client = client_of(cast.alice)
    furnish(client, cast)
    shown = []
    queue, widget = Queue.objects.get(), Widget.objects.get()
    for path, body in (
        ("agents/clerk/triggers/", {"kind": "webhook", "name": "Hook", "config": {}}),
        (f"queues/{queue.pk}/secret/", {}),
        (f"widgets/{widget.pk}/identity-secret/", {}),
    ):
        first, again = (ask(client, "POST", path, body, key=f"once-{path}") for _ in range(2))
        assert first.status_code in {200, 201}, first.text
        shown += [value for name, value in first.json().items() if "secret" in name and isinstance(value, str)]
        assert not any(one in again.text for one in shown), "what is shown once is not in the answer that is kept"
    assert len(shown) == 3 and all(len(one) > 20 for one in shown)

    tool, server, broker = Tool.objects.get(), ToolServer.objects.get(), Broker.objects.get()
    trigger, provider = Trigger.objects.get(), Provider.objects.get(slug="p")
    paths = [
        *("/models/providers/", "/models/providers/p/", f"/admin/catalog/provider/{provider.pk}/change/"),
        *("/tools/", f"/tools/{tool.pk}/", f"/tools/{tool.pk}/edit/"),
        *("/tools/servers/", f"/tools/servers/{server.pk}/", f"/tools/servers/{server.pk}/edit/"),
        *("/tools/queues/", f"/tools/queues/{queue.pk}/", f"/tools/queues/{queue.pk}/edit/"),
        *(f"/tools/brokers/{broker.pk}/", f"/tools/brokers/{broker.pk}/edit/", "/agents/clerk/triggers/"),
        *("/widgets/", f"/widgets/{widget.pk}/", "/audit/", "/api/audit/export/?format=csv", "/api/audit/events/"),
        *("/api/providers/", "/api/providers/p/", "/api/tools/", f"/api/tools/{tool.pk}/", "/api/tool-servers/"),
        *(f"/api/tool-servers/{server.pk}/", "/api/brokers/", f"/api/brokers/{broker.pk}/", "/api/queues/"),
        *("/api/agents/clerk/triggers/", f"/api/agents/clerk/triggers/{trigger.pk}/", f"/api/queues/{queue.pk}/"),
        *("/api/widgets/", f"/api/widgets/{widget.pk}/", "/admin/catalog/provider/"),
    ]
    for path in paths:
        answer = client.get(path)
        text = b"".join(answer.streaming_content).decode() if answer.streaming else answer.text
        assert answer.status_code == 200, path
        assert not any(word in text for word in (WORD, "gAAAAA", *shown)), path
    out = StringIO()
    call_command("export", stdout=out)
    assert not any(word in out.getvalue() for word in (WORD, "gAAAAA", *shown))
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text ~ %s', ["|".join((WORD, *shown))])
            assert cursor.fetchone() == (0,), table
