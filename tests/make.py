"""Make rows with good defaults, by the services the product uses wherever there is one."""

import datetime as dt
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.test import Client

from agents_app.models import (
    Agent,
    AgentDraft,
    AgentVersion,
    Approval,
    Broker,
    Queue,
    QueueItem,
    Run,
    Step,
    Tool,
    ToolServer,
    Trigger,
)
from agents_app.services import agents as agent_services
from agents_app.services import brokers as broker_services
from agents_app.services import drafts as agent_draft_services
from agents_app.services import queues as queue_services
from agents_app.services import runs as run_services
from agents_app.services import servers as server_services
from agents_app.services import triggers as trigger_services
from agents_app.services import versions as agent_version_services
from agents_app.tools.mcp.offers import offer_of
from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider
from console.chat.models import Conversation, Message, Visitor, Widget
from console.core.clock import now
from console.knowledge.models import Collection, Document
from console.knowledge.services import collections as collection_services
from console.knowledge.services import documents as document_services
from console.notices.models import Channel, Delivery, Notice
from console.notices.services import channels
from console.teams.actors import Actor
from console.teams.callers import SYSTEM
from console.teams.models import ApiKey, Role, Team, User
from console.teams.roles import OPERATOR_SCOPES, SCOPES
from console.teams.services import keys as key_services
from console.teams.services import teams as team_services
from console.teams.session_store import SessionStore
from prompts_app.models import Label, Prompt, PromptVersion
from prompts_app.services import labels as label_services
from prompts_app.services import prompts as prompt_services
from prompts_app.services import versions as version_services
from usage_app.models import AlertRule
from usage_app.services import alert_rules

_numbers = count(1)
# What a key may do inside its team.
TEAM_SCOPES = [scope for scope in SCOPES if scope not in OPERATOR_SCOPES]
PASSWORD = "correct horse battery staple"


@cache
def _password_hash() -> str:
    """Hash the password once: a good hash is slow on purpose, and every test makes people."""
    return make_password(PASSWORD)


def make_user(email: str = "", **fields: Any) -> User:
    email = email or f"person{next(_numbers)}@example.com"
    fields.setdefault("name", email.partition("@")[0].capitalize())
    user = User.objects.create_user(email, None, **fields)
    User.objects.filter(pk=user.pk).update(password=_password_hash())
    user.password = _password_hash()
    return user


def client_of(user: User) -> Client:
    """Return the browser of somebody who has signed in; Django's own way there asks the database eight times."""
    client, session = Client(), SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def make_team(name: str = "", *, owner: User | None = None, **fields: Any) -> Team:
    name = name or f"Team {next(_numbers)}"
    team = team_services.create_team(actor=SYSTEM, name=name, slug=name.lower().replace(" ", "-"), **fields)
    if owner:
        make_member(team, owner, Role.OWNER)
    return team


def make_member(team: Team, user: User | None = None, role: str = Role.MEMBER) -> User:
    user = user or make_user()
    team_services.add_member(actor=SYSTEM, team=team, user=user, role=role)
    return user


def make_key(team: Team, name: str = "", environment: str = "production", **fields: Any) -> tuple[ApiKey, str]:
    return key_services.create_key(
        actor=SYSTEM, team=team, name=name or f"key {next(_numbers)}", environment=environment, **fields
    )


def make_model(
    name: str = "", *, provider: Provider | None = None, price: tuple[str, str] | None = ("0.15", "0.60"), **fields: Any
) -> ModelVersion:
    """A chat model; its provider is `fake` at a loopback address unless given. Prices are per million tokens."""
    if provider is None:
        provider, _ = Provider.objects.get_or_create(
            slug="fake", defaults={"name": "Fake", "kind": "openai", "base_url": "http://127.0.0.1:9/v1"}
        )
    fields.setdefault("capabilities", ["chat"])
    version = ModelVersion.objects.create(provider=provider, name=name or f"model-{next(_numbers)}", **fields)
    if price:
        Price.objects.create(model_version=version, input=Decimal(price[0]), output=Decimal(price[1]))
    return version


def make_alias(name: str = "", *, production: ModelVersion | None = None, sandbox: ModelVersion | None = None) -> Alias:
    alias = Alias.objects.create(name=name or f"alias-{next(_numbers)}")
    for environment, version in (("production", production), ("sandbox", sandbox)):
        if version:
            Pin.objects.create(alias=alias, environment=environment, model_version=version)
    return alias


def make_prompt(
    team: Team, slug: str = "", text: str = "Answer briefly.", *, live: str | None = "production", **fields: Any
) -> Prompt:
    """A prompt with one version, which has the label `live` unless that is None. `text` makes a text or partial."""
    fields.setdefault("content", [{"role": "", "text": text}])
    fields.setdefault("actor", SYSTEM)
    prompt = prompt_services.create_prompt(team=team, slug=slug or f"prompt-{next(_numbers)}", **fields)
    if live:
        publish(prompt, label=live)
    return prompt


def save(prompt: Prompt, text: str, **fields: Any) -> PromptVersion:
    """Save one more version of a prompt of one text, with the variables it has."""
    fields.setdefault("content", [{"role": "", "text": text}])
    fields.setdefault("actor", SYSTEM)
    prompt.refresh_from_db()
    fields.setdefault("variables", prompt.head.variables if prompt.head else [])
    return version_services.save_version(prompt=prompt, parent=prompt.head, **fields)


def publish(prompt: Prompt, version: PromptVersion | None = None, label: str = "production", **fields: Any) -> Label:
    """Point a label at a version, the newest unless given."""
    seen = Label.objects.filter(prompt=prompt, name=label).values_list("revision", flat=True).first() or 0
    prompt.refresh_from_db()
    fields = {"actor": SYSTEM, "reason": "because", "seen_revision": seen, **fields}
    return label_services.publish(prompt=prompt, version=version or prompt.head, label=label, **fields)


def make_collection(team: Team | None, slug: str = "", **fields: Any) -> Collection:
    """A collection of a team, or of the whole organisation; searched by words unless a model is given."""
    slug = slug or f"collection-{next(_numbers)}"
    fields = {"actor": SYSTEM, "name": slug.replace("-", " ").capitalize(), **fields}
    return collection_services.create_collection(team=team, slug=slug, **fields)


def make_document(
    collection: Collection, name: str = "Price policy", text: str = "Nine euros.", **fields: Any
) -> Document:
    fields = {"actor": SYSTEM, **fields}
    return document_services.add_document(collection=collection, name=name, text=text, **fields)


def make_agent(
    team: Team, slug: str = "", *, is_live: bool = True, prompt: Prompt | None = None, **fields: Any
) -> Agent:
    """An agent that answers, on the alias `support-chat` unless given, with a prompt of its own unless given."""
    slug = slug or f"agent-{next(_numbers)}"
    if not Alias.objects.filter(name=fields.setdefault("alias", "support-chat")).exists():
        make_alias(fields["alias"], production=make_model())
    if "prompt_slug" not in fields:
        fields["prompt_slug"] = (prompt or make_prompt(team, f"{slug}/instructions")).slug
    fields.setdefault("name", slug.replace("-", " ").capitalize())
    agent = agent_services.create_agent(actor=SYSTEM, team=team, slug=slug, **fields)
    if is_live:
        publish_agent(agent)
    return agent


def publish_agent(agent: Agent, **fields: Any) -> AgentVersion:
    """Publish the draft of an agent, with these fields changed before."""
    draft = agent_draft_services.save_draft(
        actor=SYSTEM, agent=agent, seen_revision=AgentDraft.objects.get(agent=agent).revision, **fields
    )
    version = agent_version_services.publish_agent(
        actor=SYSTEM, agent=agent, message="because", seen_revision=draft.revision
    )
    agent.refresh_from_db()
    return version


def make_widget(team: Team, agent: Agent | None = None, **fields: Any) -> Widget:
    """A widget on https://shop.example that speaks with an agent of its own unless given."""
    number = next(_numbers)
    fields = {"name": f"Widget {number}", "public_id": f"widget{number}", "origins": ["https://shop.example"]} | fields
    return Widget.objects.create(team=team, agent=agent or make_agent(team), **fields)


def make_visit(widget: Widget, *words: str, **fields: Any) -> Conversation:
    """A visitor's conversation; what is said goes back and forth between the visitor and the assistant."""
    visitor = Visitor.objects.create(widget=widget, origin="https://shop.example")
    made = Conversation.objects.create(
        widget=widget, team=widget.team, agent=widget.agent, visitor=visitor, title=words[0] if words else "", **fields
    )
    for number, text in enumerate(words):
        role = Message.Role.ASSISTANT if number % 2 else Message.Role.USER
        name = widget.agent.name if number % 2 else "Visitor"
        made.leaf = Message.objects.create(conversation=made, parent=made.leaf, role=role, text=text, author_name=name)
    made.save()
    return made


def make_tool(team: Team, slug: str = "", **fields: Any) -> Tool:
    """A tool that looks up an order by its number, and changes nothing, unless told otherwise."""
    fields.setdefault("kind", "http")
    fields.setdefault("description", "Looks up an order.")
    fields.setdefault("effect", Tool.Effect.READ)
    parameters = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    fields.setdefault("parameters", parameters)
    slug = slug or f"tool_{next(_numbers)}"
    return Tool.objects.create(team=team, slug=slug, name=slug.replace("_", " ").capitalize(), **fields)


def make_server(team: Team, slug: str = "", address: str = "http://127.0.0.1:9/mcp", **fields: Any) -> ToolServer:
    """An MCP server nobody answers at, unless an address is given."""
    slug = slug or f"server-{next(_numbers)}"
    return server_services.create_server(actor=SYSTEM, team=team, slug=slug, address=address, **fields)


def make_server_tool(server: ToolServer, name: str = "act", description: str = "Acts.") -> Tool:
    """A tool taken over from a server that offers it."""
    schema = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
    server.found = [*server.found, offer_of(name, description, schema, {}).as_row()]
    server.save(update_fields=["found"])
    return server_services.take_tool(actor=SYSTEM, server=server, name=name)


def make_queue(team: Team, slug: str = "", **fields: Any) -> Queue:
    slug = slug or f"queue-{next(_numbers)}"
    fields.setdefault("name", slug.capitalize())
    return queue_services.create_queue(actor=SYSTEM, team=team, slug=slug, **fields)


def make_channel(team: Team | None, kind: str = "email", url: str = "", **fields: Any) -> Channel:
    """A channel by e-mail, or one that posts to `url`."""
    where = {"url": url} if url else {"addresses": ["ops@example.com"]}
    fields = {"name": f"channel-{next(_numbers)}", "wants": ["quota"], **where, **fields}
    return channels.create_channel(actor=SYSTEM, team=team, kind=kind, **fields).channel


def make_alert_rule(team: Team | None, **fields: Any) -> AlertRule:
    """A rule about the error rate."""
    fields = {"metric": "errors", "threshold": 5, "minutes": 10, "least_calls": 3, **fields}
    return alert_rules.create_rule(actor=SYSTEM, team=team, **fields)


def make_delivery(channel: Channel, **fields: Any) -> Delivery:
    """A notice of a quota that this channel did not take."""
    notice = Notice.objects.create(
        kind="quota",
        key=str(next(_numbers)),
        team=channel.team,
        title="A quota is used up",
        text="All of it.",
        url="/quotas/",
    )
    fields = {"state": "failed", "next_try_at": None, "problem": "It answered 404.", "ended_at": now(), **fields}
    return Delivery.objects.create(notice=notice, channel=channel, way="channel", **fields)


def make_broker(team: Team, slug: str = "", url: str = "redis://127.0.0.1:1/0", **fields: Any) -> Broker:
    """A broker nobody answers at."""
    return broker_services.create_broker(
        actor=SYSTEM, team=team, slug=slug or f"broker-{next(_numbers)}", url=url, **fields
    )


def make_outside_trigger(agent: Agent, owner: User, broker: Broker | None = None, **config: Any) -> Trigger:
    """A trigger that reads a queue outside; no worker does."""
    broker = broker or make_broker(agent.team)
    trigger, _ = trigger_services.create_trigger(
        actor=SYSTEM,
        agent=agent,
        owner=owner,
        kind="queue",
        name="Orders",
        config={"broker": broker.slug, "queue": "orders", **config},
        environment="production",
    )
    return trigger


def make_item(queue: Queue, body: Any = "work", **fields: Any) -> QueueItem:
    return queue_services.put(queue=queue, body=body, put_by_name="Alice", **fields)[0]


def actor_for(user: User) -> Actor:
    return Actor("user", user.pk, str(user))


def make_run(agent: Agent, user: User, message: str = "Where is order 17?", **fields: Any) -> Run:
    """A run a person started in the console; nobody works on it. `fields` are those of its origin, too."""
    origin = {name: fields.pop(name) for name in run_services.Origin.__slots__ if name in fields}
    agent.refresh_from_db()
    return run_services.start_run(
        actor=actor_for(user),
        agent=agent,
        origin=run_services.Origin(**{"trigger": Run.Trigger.CONSOLE, **origin}),
        **{"input": {"message": message}, "environment": "production", **fields},
    )


def make_step(run: Run, **fields: Any) -> Step:
    """One more step of a run: a call of a tool that waits, unless told otherwise."""
    number = run.steps.count() + 1
    fields = {"kind": Step.Kind.TOOL, "state": Step.State.WAITING, "turn": 1, "tool_name": "refund", **fields}
    return Step.objects.create(run=run, number=number, **fields)


def make_approval(run: Run, step: Step | None = None, **fields: Any) -> Approval:
    """What a run asks about a step: leave for a refund of 17, unless told otherwise. The run waits for it."""
    from agents_app.grants.digest import digest_of

    arguments = fields.pop("arguments", {"order": "17"})
    step = step or make_step(run, arguments=arguments)
    fields = {"kind": Approval.Kind.CALL, "tool_name": step.tool_name, "arguments": arguments, **fields}
    fields.setdefault("expires_at", now() + dt.timedelta(hours=1))
    fields.setdefault("sha256", digest_of(run, step, arguments))
    Run.objects.filter(pk=run.pk).update(state=Run.State.WAITING, wake_at=fields["expires_at"], waits_for="a decision")
    return Approval.objects.create(team=run.agent.team, run=run, step=step, **fields)
