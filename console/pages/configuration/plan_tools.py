"""The part of a plan about queues, tool servers and tools, which are named `team/slug`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents_app.models import Broker, Queue, Tool, ToolServer
from agents_app.services import brokers as broker_services
from agents_app.services import queues as queue_services
from agents_app.services import servers as server_services
from agents_app.services import tools as tool_services
from agents_app.tools.mcp.offers import Offer, tool_name
from agents_app.tools.registry import kind_of
from console.core.errors import BadInput
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_secrets import secret_change
from console.pages.configuration.steps import FieldChange, Ref, differences

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

# What a tool server said before the plan was made, by its `team/slug`: its offers, or the trouble there was.
Offers = Mapping[str, list[Offer] | str]
_QUEUE_FIELDS = ("name", "description", "lease_seconds", "most_attempts", "keep_days", "callback_addresses")
_TOOL_FIELDS = ("name", "description", "effect", "is_idempotent", "timeout_seconds", "most_bytes")


def name_of(entry: Entry) -> str:
    return f"{entry['team']}/{entry['slug']}"


class ToolPlan:
    """Adds the steps of queues, tool servers and tools to a plan."""

    def __init__(self, plan: Plan, offers: Offers) -> None:
        self.plan, self.offers = plan, offers
        self.queues = {
            f"{q.team.slug}/{q.slug}": q for q in Queue.objects.filter(archived_at=None).select_related("team")
        }
        self.brokers = {f"{b.team.slug}/{b.slug}": b for b in Broker.objects.select_related("team")}
        servers = ToolServer.objects.filter(deleted_at=None).select_related("team")
        self.servers = {f"{s.team.slug}/{s.slug}": s for s in servers}
        tools = Tool.objects.filter(deleted_at=None).select_related("team", "server")
        self.tools = {f"{t.team.slug}/{t.slug}": t for t in tools}

    def queue(self, entry: Entry) -> None:
        name = name_of(entry)
        wanted: dict[str, Any] = {n: "" if entry[n] is None else entry[n] for n in _QUEUE_FIELDS if entry.has(n)}
        row, secret = self.queues.get(name), self.plan.secret(entry)
        if row is None:

            def make() -> None:
                fields = {"name": entry["slug"]} | wanted
                made = queue_services.create_queue(
                    actor=self.plan.actor, team=self.plan.team(entry), slug=entry["slug"], **fields
                )
                if secret:
                    queue_services.renew_queue_secret(actor=self.plan.actor, queue=made, secret=secret)

            self.plan.create(entry, "queue", name, wanted | ({"secret": "set"} if secret else {}), make)
            return
        fields = differences({n: (getattr(row, n), value) for n, value in wanted.items()})
        change_of_secret = secret_change("secret", row.secret, secret)

        def change() -> None:
            queue_services.change_queue(actor=self.plan.actor, queue=row, **wanted)
            if change_of_secret:
                queue_services.renew_queue_secret(actor=self.plan.actor, queue=row, secret=secret)

        self.plan.change(entry, "queue", name, fields + change_of_secret, change)

    def broker(self, entry: Entry) -> None:
        name, url = name_of(entry), self.plan.secret(entry, "url")
        if url is None:
            return  # it is needed and was not read, which is a problem already
        row, title = self.brokers.get(name), entry.get("name")
        if row is None:

            def make() -> None:
                broker_services.create_broker(
                    actor=self.plan.actor, team=self.plan.team(entry), slug=entry["slug"], name=title or "", url=url
                )

            self.plan.create(entry, "broker", name, {"url": "set"} | ({"name": title} if title else {}), make)
            return
        fields = differences({"name": (row.name, title or row.name)}) + secret_change("url", row.secret, url)

        def change() -> None:
            broker_services.change_broker(actor=self.plan.actor, broker=row, name=title, url=url)

        self.plan.change(entry, "broker", name, fields, change)

    # Tools of the team's own ------------------------------------------------------------------------------------------

    def tool(self, entry: Entry) -> None:
        name, row = name_of(entry), self.tools.get(name_of(entry))
        if not entry.has("kind"):
            return
        if row is not None and row.kind != entry["kind"]:
            self.plan.problem(
                entry, "kind", f"{name} is of the kind {row.kind}, which stays; choose another short name."
            )
            return
        wanted = {n: entry[n] for n in _TOOL_FIELDS if entry.has(n)}
        wanted |= {n: entry[n].value for n in ("config", "parameters") if entry.has(n)}
        if not self._is_sound(entry, row, wanted):
            return
        secret = self.plan.secret(entry)
        if row is None:
            self._create_tool(entry, name, wanted, secret)
            return
        fields = differences({n: (getattr(row, n), value) for n, value in wanted.items()})
        fields += secret_change("secret", row.secret, secret)
        enabled = entry.get("is_enabled", row.is_enabled)
        fields += differences({"is_enabled": (row.is_enabled, enabled)})

        def change() -> None:
            tool_services.change_tool(actor=self.plan.actor, tool=row, secret=secret, **wanted)
            tool_services.enable_tool(actor=self.plan.actor, tool=row, enabled=enabled)

        self.plan.change(entry, "tool", name, fields, change, locate=lambda param: _in_tool(entry, param))

    def _is_sound(self, entry: Entry, row: Tool | None, wanted: dict[str, Any]) -> bool:
        """Bring configuration and schema into the form they are kept in; what is wrong with them is a problem."""
        if not {"config", "parameters"} & wanted.keys():
            return True
        kind = kind_of(entry["kind"])
        try:
            config = kind.check(wanted.get("config", row.config if row else {}))
            parameters = wanted.get("parameters", row.parameters if row else {})
            wanted |= {"config": config, "parameters": kind.schema(config, parameters)}
        except BadInput as refusal:
            self.plan.problem_at(_in_tool(entry, refusal.param or "config"), refusal.message)
            return False
        return True

    def _create_tool(self, entry: Entry, name: str, wanted: dict[str, Any], secret: str | None) -> None:
        said = {n: value for n, value in wanted.items() if entry.has(n)} | ({"secret": "set"} if secret else {})

        def make() -> None:
            made = tool_services.create_tool(
                actor=self.plan.actor,
                team=self.plan.team(entry),
                kind=entry["kind"],
                slug=entry["slug"],
                secret=secret or "",
                **wanted,
            )
            if entry.get("is_enabled") is False:
                tool_services.enable_tool(actor=self.plan.actor, tool=made, enabled=False)

        self.plan.create(
            entry, "tool", name, {"kind": entry["kind"]} | said, make, locate=lambda param: _in_tool(entry, param)
        )

    # Tool servers -----------------------------------------------------------------------------------------------------

    def server(self, entry: Entry) -> None:
        name, secret = name_of(entry), self.plan.secret(entry)
        if not entry.has("address"):
            return
        row = self.servers.get(name)
        try:  # before anything is shown: an address may hold a password, where none belongs
            if row is None or row.address != entry["address"]:
                transport = row.transport if row else entry.get("transport", ToolServer.Transport.HTTP.value)
                server_services.check_address(transport, entry["address"])
        except BadInput as refusal:
            self.plan.problem(entry, "address", refusal.message)
            return
        if row is None:
            self._create_server(entry, name, secret)
        else:
            self._change_server(entry, name, row, secret)
        for offer in entry.get("tools", []):
            if offer.has("name"):
                self._offer(entry, name, offer)

    def _create_server(self, entry: Entry, name: str, secret: str | None) -> None:
        wanted = {n: entry[n] for n in ("name", "transport", "address") if entry.has(n)}

        def make() -> None:
            made = server_services.create_server(
                actor=self.plan.actor,
                team=self.plan.team(entry),
                slug=entry["slug"],
                secret=secret or "",
                **wanted,
            )
            if entry.get("is_enabled") is False:
                server_services.change_server(actor=self.plan.actor, server=made, is_enabled=False)
            self._keep_offers(made, name)

        self.plan.create(entry, "server", name, wanted | ({"secret": "set"} if secret else {}), make)

    def _change_server(self, entry: Entry, name: str, row: ToolServer, secret: str | None) -> None:
        if entry.get("transport", row.transport) != row.transport:
            self.plan.problem(entry, "transport", f"{name} is reached by {row.transport}, which stays.")
            return
        wanted = {n: entry[n] for n in ("name", "address", "is_enabled") if entry.has(n)}
        fields = differences({n: (getattr(row, n), value) for n, value in wanted.items()})
        fields += secret_change("secret", row.secret, secret)
        if name in self.offers:
            fields.append(FieldChange("asked for its tools", "before", "now"))

        def change() -> None:
            server = server_services.change_server(actor=self.plan.actor, server=row, secret=secret, **wanted)
            self._keep_offers(server, name)

        self.plan.change(entry, "server", name, fields, change)

    def _keep_offers(self, server: ToolServer, name: str) -> None:
        offers = self.offers.get(name)
        if isinstance(offers, list):
            server_services.keep_offers(actor=self.plan.actor, server=server, offers=offers)

    def _offer(self, entry: Entry, server: str, offer: Entry) -> None:
        """Take a tool over, review it again, or change what the team says of it."""
        name = f"{entry['team']}/{tool_name(entry['slug'], offer['name'])}"
        if ("tool", name) in self.plan.will_be:
            self.plan.problem(offer, "name", f"tool {name} is in this file twice.")
            return
        self.plan.will_be.add(("tool", name))
        known = self.offers.get(server)
        if isinstance(known, str):
            self.plan.problem(offer, "", f"{server} could not be asked for its tools: {known}")
            return
        wanted = {n: offer[n] for n in ("effect", "is_idempotent") if offer.has(n)}
        tool, digest = self.tools.get(name), offer.get("digest", "")
        needs: frozenset[Ref] = frozenset({("server", server)})
        if tool is None:

            def take() -> None:
                found = ToolServer.objects.get(team__slug=entry["team"], slug=entry["slug"], deleted_at=None)
                taken = server_services.take_tool(
                    actor=self.plan.actor, server=found, name=offer["name"], seen_digest=digest, **wanted
                )
                if offer.get("is_enabled") is False:
                    tool_services.enable_tool(actor=self.plan.actor, tool=taken, enabled=False)

            said = wanted | {"description": next((o.description for o in known or [] if o.name == offer["name"]), None)}
            self.plan.create(offer, "tool", name, said, take, needs=needs)
            return
        is_reviewed_anew = bool(digest) and (digest != tool.digest or bool(tool.suspended))
        fields = differences({n: (getattr(tool, n), value) for n, value in wanted.items()})
        enabled = offer.get("is_enabled", tool.is_enabled)
        fields += differences({"is_enabled": (tool.is_enabled, enabled)})
        if is_reviewed_anew:
            fields += [FieldChange("digest", tool.digest, digest)]

        def change() -> None:
            if is_reviewed_anew:
                server_services.review_tool(actor=self.plan.actor, tool=tool, seen_digest=digest)
            tool_services.change_tool(actor=self.plan.actor, tool=tool, **wanted)
            tool_services.enable_tool(actor=self.plan.actor, tool=tool, enabled=enabled)

        self.plan.change(offer, "tool", name, fields, change, needs)


def _in_tool(entry: Entry, param: str) -> Place:
    """Return where a field is that a kind of tool refuses: kinds name those of their configuration alone."""
    first = param.partition(".")[0]
    return entry.find(
        param if first in entry.places or first in {"parameters", "secret", "slug"} else f"config.{param}"
    )
