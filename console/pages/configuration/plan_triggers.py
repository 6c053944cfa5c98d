"""The part of a plan about triggers, identified by agent and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents_app.models import Agent, Trigger
from agents_app.queries.tokens import live
from agents_app.services import triggers as services
from agents_app.triggers.tokens import TOKEN, takes_token
from console.core.errors import BadInput
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_secrets import secret_change
from console.pages.configuration.steps import FieldChange, Ref, Step, differences
from console.teams import keys
from console.teams.models import Environment, User

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan


class TriggerPlan:
    """Adds the steps of triggers to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: dict[tuple[str, str], list[Trigger]] = {}
        rows = Trigger.objects.filter(agent__archived_at=None).select_related("agent__team", "owner")
        for row in rows:
            self.rows.setdefault((row.agent.slug, row.name), []).append(row)

    def triggers(self, agent: Entry) -> None:
        seen: set[str] = set()
        for entry in agent.get("triggers", []):
            if not (entry.has("name") and entry.has("kind")):
                continue
            name = " ".join(entry["name"].split())
            if name in seen:
                self.plan.problem(entry, "name", f"{agent['slug']} has the trigger {name!r} twice in this file.")
                continue
            seen.add(name)
            found = self.rows.get((agent["slug"], name), [])
            if len(found) > 1:
                self.plan.problem(
                    entry, "name", f"{len(found)} triggers of {agent['slug']} are called {name!r}; rename them."
                )
            elif found:
                self._change(entry, found[0])
            else:
                self._create(entry, agent)

    def _create(self, entry: Entry, agent: Entry) -> None:
        if not entry.has("owner"):
            self.plan.problem(entry, "", "A new trigger needs owner: the address of the person its runs act for.")
            return
        name, config = f"{agent['slug']}: {entry['name']}", entry["config"].value if entry.has("config") else {}
        secret, environment = self.plan.secret(entry), entry.get("environment", Environment.PRODUCTION.value)

        def make() -> None:
            owner = User.objects.filter(email__iexact=entry["owner"]).first()
            if owner is None:
                raise BadInput(
                    f"Nobody has the address {entry['owner']!r}; add them to a team's members.", param="owner"
                )
            trigger, text = services.create_trigger(
                actor=self.plan.actor,
                agent=Agent.objects.select_related("team").get(slug=agent["slug"], archived_at=None),
                owner=owner,
                kind=entry["kind"],
                name=entry["name"],
                config=config,
                environment=environment,
                secret=secret,
            )
            if entry.get("is_enabled") is False:
                services.change_trigger(actor=self.plan.actor, trigger=trigger, is_enabled=False)
            if text and secret is None:
                step.reveals.append(_revealed(trigger, name, text))
            if entry["kind"] == Trigger.Kind.WEBHOOK:
                step.reveals.append(f"Address of the webhook {name}: {services.address_of(trigger)}")

        said: dict[str, Any] = {"kind": entry["kind"], "owner": entry["owner"], "config": config}
        needs: frozenset[Ref] = frozenset({("agent", agent["slug"])})
        where = "broker" if "broker" in config else "queue"
        if isinstance(config.get(where), str):
            needs |= {(where, f"{agent['team']}/{config[where]}")}
        step: Step = self.plan.create(
            entry, "trigger", name, said | ({"secret": "set"} if secret else {}), make, needs, lambda p: _find(entry, p)
        )

    def _change(self, entry: Entry, row: Trigger) -> None:
        if row.kind != entry["kind"]:
            self.plan.problem(entry, "kind", f"{row.name} is a {row.kind}, which stays; choose another name.")
            return
        wanted: dict[str, Any] = {n: entry[n] for n in ("environment", "is_enabled") if entry.has(n)}
        if entry.has("config"):
            wanted["config"] = self._config(entry, row)
        fields = differences({name: (getattr(row, name), value) for name, value in wanted.items()})
        email = row.owner.email if row.owner else None
        owner = entry["owner"] if entry.has("owner") and entry["owner"].lower() != (email or "").lower() else None
        fields += differences({"owner": (email, owner)}) if owner else []
        secret = self.plan.secret(entry)
        # What it has says nothing to the other way of proving itself: without a secret of the file one is made.
        is_other_way = row.kind == Trigger.Kind.WEBHOOK and takes_token(row) != _takes_token(wanted, row)
        if _takes_token(wanted, row):
            change_of_secret = _token_change(row, secret)
        else:
            change_of_secret = secret_change("secret", row.secret, secret)

        def change() -> None:
            who = User.objects.filter(email__iexact=owner).first() if owner else None
            if owner and who is None:
                raise BadInput(f"Nobody has the address {owner!r}; add them to a team's members.", param="owner")
            changed = services.change_trigger(actor=self.plan.actor, trigger=row, owner=who, **wanted)
            if change_of_secret or is_other_way:
                text = services.renew_secret(actor=self.plan.actor, trigger=changed, secret=secret)
                if secret is None:
                    step.reveals.append(_revealed(changed, name, text))

        name = f"{row.agent.slug}: {row.name}"
        step = self.plan.change(
            entry, "trigger", name, fields + change_of_secret, change, locate=lambda param: _find(entry, param)
        )

    def _config(self, entry: Entry, row: Trigger) -> dict[str, Any]:
        """Return the configuration as it is kept, where that can be said yet: a queue may be made by this file."""
        config: dict[str, Any] = entry["config"].value
        try:
            return services.check_config(row.agent, row.kind, config)
        except BadInput:
            return config  # the step says what is wrong


def _takes_token(wanted: dict[str, Any], row: Trigger) -> bool:
    return bool(wanted.get("config", row.config).get("auth") == TOKEN)


def _token_change(row: Trigger, secret: str | None) -> list[FieldChange]:
    """Return what the difference says of a bearer token: only its hash is kept to compare with."""
    kept = [bytes(token.digest) for token in live(row)]
    if secret is None or keys.digest(secret) in kept:
        return []
    return [FieldChange("secret", "set" if kept else "not set", "set anew" if kept else "set")]


def _revealed(trigger: Trigger, name: str, text: str) -> str:
    return f"{'Token' if takes_token(trigger) else 'Secret'} of the webhook {name}, shown this once: {text}"


def _find(entry: Entry, param: str) -> Place:
    """Return where a field is: a schedule's own are named alone."""
    return entry.find(param if param.partition(".")[0] in {*entry.places, "config", "secret"} else f"config.{param}")
