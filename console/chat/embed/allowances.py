"""Count a visitor's message against the widget's limits: all of them or none."""

import datetime as dt
import ipaddress

from django.conf import settings

from console.chat.embed import sql
from console.chat.embed.errors import AllowanceSpent
from console.chat.embed.limits import limits_of
from console.chat.embed.sql import Use
from console.chat.models import Allowance, Held, Message, Widget
from console.core.clock import Window, now, period_end, period_start
from console.gateway.cost_ceiling import CostCeiling

# An answer's share of these is known at its end; until then the most it can come to is set aside.
_SET_ASIDE = ("cost_day_micros", "tokens_day")
_KEEP = dt.timedelta(days=2)
# Whoever ends an answer settles it at once. After so long, its process is lost: with a line of its call in the log, and
# without one, which the gateway's own sweep writes of every call that was begun.
_LOGGED, _UNKNOWN = dt.timedelta(minutes=1), dt.timedelta(minutes=15)


def network_of(address: str) -> str:
    """Return the network limits count together: an address, or the /64 one customer's IPv6 addresses are in."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return address if parsed.version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))


def uses_of(widget: Widget, *, visitor: str, address: str, most: CostCeiling, moment: dt.datetime) -> list[Use]:
    """Return what one message uses, by limit."""
    limits = limits_of(widget.limits)
    minute, day, network = period_start("minute", moment), period_start("day", moment), network_of(address)
    wanted = {
        "visitor_minute": (visitor, minute, 1),
        "visitor_day": (visitor, day, 1),
        "network_minute": (network, minute, 1),
        "network_day": (network, day, 1),
        "widget_day": ("", day, 1),
        "tokens_day": (visitor, day, most.tokens),
        "cost_day_micros": ("", day, most.cost_micros),
    }
    return [Use(name, *wanted[name], limits[name]) for name in sorted(wanted)]


def refuse_spent(widget: Widget, uses: list[Use]) -> None:
    """Refuse what has no room, for a glance: whoever tries on and on costs one query each time."""
    rows = Allowance.objects.filter(widget=widget, period_start__in={use.period_start for use in uses})
    used = {
        (name, subject, start): amount
        for name, subject, start, amount in rows.filter(subject__in={use.subject for use in uses}).values_list(
            "name", "subject", "period_start", "used"
        )
    }
    _refuse(
        {use.name for use in uses if used.get((use.name, use.subject, use.period_start), 0) + use.amount > use.most}
    )


def take(widget: Widget, uses: list[Use]) -> None:
    """Count a message, or refuse it with when to try again. Needs a transaction, which the refusal must end."""
    _refuse({use.name for use in uses} - sql.use(widget.pk, uses))


def _refuse(missing: set[str]) -> None:
    if not missing:
        return
    window: Window = "minute" if all(name.endswith("_minute") for name in missing) else "day"
    moment = now()
    ends = period_end(window, period_start(window, moment))
    raise AllowanceSpent(frozenset(missing), max(1, round((ends - moment).total_seconds())))


def hold(answer: Message, widget: Widget, uses: list[Use]) -> None:
    """Note what was set aside for an answer, so that its end can put what it came to in its place."""
    Held.objects.bulk_create(
        Held(
            message=answer,
            name=use.name,
            widget_id=widget.pk,
            subject=use.subject,
            period_start=use.period_start,
            amount=use.amount,
        )
        for use in uses
        if use.name in _SET_ASIDE
    )


def give_back_lost() -> int:
    """Put what answers came to in the place of what was set aside for them, where their process died."""
    swept = dt.timedelta(seconds=settings.GATEWAY_LEASE_SECONDS)
    return sql.give_back(logged=now() - _LOGGED, unknown=now() - _UNKNOWN - swept)


def forget_old() -> None:
    """Delete counts of days past, and with them what tells networks apart."""
    latest = now() - _KEEP
    Allowance.objects.filter(period_start__lt=latest).delete()
    Held.objects.filter(period_start__lt=latest).delete()
