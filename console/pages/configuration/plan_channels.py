"""The part of a plan about alert channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.notices.kinds import kinds_of
from console.notices.models import Channel
from console.notices.services import channels as services
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_secrets import secret_change
from console.pages.configuration.steps import Ref, Step, differences

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan


def name_of(entry: Entry) -> str:
    """Return a channel's name behind that of its team; without a team it is the installation's."""
    return f"{entry['team']}/{entry['name']}" if entry.has("team") else str(entry["name"])


def channel_of(entry: Entry) -> Ref:
    """Return what tells channels apart: no team's short name has a space, so none is taken for the installation's."""
    return "channel", name_of(entry) if entry.has("team") else f"of the installation {name_of(entry)}"


class ChannelPlan:
    """Adds the steps of channels to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = Channel.objects.filter(team__archived_at=None).select_related("team")
        # By both: the installation may have a channel called support/ops, and the team support one called ops.
        self.rows = {(row.team.slug if row.team else None, row.name): row for row in rows}

    def channel(self, entry: Entry) -> None:
        if not entry.has("kind"):
            return
        if entry.has("team") and not self.plan.is_there(entry, "team", "team", entry["team"]):
            return
        row = self.rows.get((entry.get("team"), entry["name"]))
        url, secret = self.plan.secret(entry, "url"), self.plan.secret(entry)
        wanted = {name: list(entry[name]) for name in ("addresses", "wants") if entry.has(name)}
        if row is None:
            self._create(entry, wanted, url, secret)
        elif row.kind == entry["kind"]:
            self._change(entry, row, wanted, url, secret)
        else:
            message = f"{row} is of the kind {row.kind}, which stays; choose another name."
            self.plan.problem(entry, "kind", message)

    def _create(self, entry: Entry, wanted: dict[str, Any], url: str | None, secret: str | None) -> None:
        wanted = {"wants": [str(kind) for kind in kinds_of(is_of_team=entry.has("team"))]} | wanted

        def make() -> None:
            channel, made = services.create_channel(
                actor=self.plan.actor,
                team=self.plan.team(entry) if entry.has("team") else None,
                kind=entry["kind"],
                name=entry["name"],
                url=url or "",
                secret=secret,
                **wanted,
            )
            if entry.get("is_active") is False:
                services.enable_channel(actor=self.plan.actor, channel=channel, enabled=False)
            self._reveal(step, channel, made)

        said = {"kind": entry["kind"]} | wanted | ({"url": "set"} if url else {})
        said |= {"secret": "set"} if secret else {}
        step: Step = self.plan.create(entry, "channel", name_of(entry), said, make)

    def _change(self, entry: Entry, row: Channel, wanted: dict[str, Any], url: str | None, secret: str | None) -> None:
        known = [str(kind) for kind in kinds_of(is_of_team=row.team_id is not None)]
        if "wants" in wanted:  # kept in the order they are listed in; what is unknown stays, for the service to refuse
            wanted["wants"].sort(key=lambda kind: known.index(kind) if kind in known else len(known))
        is_active = entry.get("is_active", row.is_active)
        fields = differences({name: (getattr(row, name), value) for name, value in wanted.items()})
        fields += secret_change("url", row.url, url) + secret_change("secret", row.secret, secret)
        fields += differences({"is_active": (row.is_active, is_active)})

        def change() -> None:
            _, made = services.change_channel(
                actor=self.plan.actor, channel=row, url=url or "", secret=secret, **wanted
            )
            services.enable_channel(actor=self.plan.actor, channel=row, enabled=is_active)
            self._reveal(step, row, made)

        step: Step = self.plan.change(entry, "channel", name_of(entry), fields, change)

    @staticmethod
    def _reveal(step: Step, channel: Channel, secret: str) -> None:
        if secret:
            step.reveals.append(f"Secret the webhook {channel} is signed with, shown this once: {secret}")
