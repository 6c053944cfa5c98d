"""The charts of the lanes: how fast the interactive lane is, and how much the others do meanwhile."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings

from console.core.formatting import duration, number
from console.core.lanes import Lane
from console.pages.charts import Chart, unfinished
from usage_app.queries.dashboard import Span
from usage_app.queries.lanes import LaneUse

_COLOURS = {Lane.INTERACTIVE: "--team-1", Lane.STANDARD: "--team-3", Lane.BATCH: "--team-2"}


def first_tokens(span: Span, lanes: Sequence[LaneUse]) -> Chart:
    """p95 of the time to the first token, with the target the batch lane gives way for."""
    target = settings.GATEWAY_INTERACTIVE_TARGET_MS
    chart = _chart(
        span,
        lanes,
        lambda lane, at: lane.first_token_at.get(at),
        scale=1000,
        say=lambda value: "No calls" if value is None else duration(value),
        finding=_finding(lanes[0].first_token_p95, target * 1000),
    )
    chart.data.update(unit="ms", limits=[{"v": target, "label": "Target of the interactive lane"}])
    return chart


def calls(span: Span, lanes: Sequence[LaneUse]) -> Chart:
    busiest = max(lanes, key=lambda lane: lane.requests)
    chart = _chart(
        span,
        lanes,
        lambda lane, at: lane.requests_at.get(at, 0),
        scale=1,
        say=lambda value: number(value or 0),
        finding=f"Calls per {span.grain} by lane. {busiest.lane.label} had most, {number(busiest.requests)}.",
    )
    chart.data.update(unfinished=True)
    return replace(chart, unfinished=unfinished(span))


def _finding(p95: int | None, target_us: int) -> str:
    if p95 is None:
        return "Time to the first token, p95, by lane. Nothing ran in the interactive lane."
    than = "within" if p95 <= target_us else "above"
    return (
        f"Time to the first token, p95, by lane. Interactive: {duration(p95)} over the whole time, {than} the "
        f"target of {duration(target_us)}."
    )


def _chart(
    span: Span,
    lanes: Sequence[LaneUse],
    value: Callable[[LaneUse, dt.datetime], int | None],
    *,
    scale: int,
    say: Callable[[int | None], str],
    finding: str,
) -> Chart:
    moments, used = span.moments, [lane for lane in lanes if lane.requests]
    series = [[value(lane, moment) for moment in moments] for lane in used]
    return Chart(
        data={
            "data": [
                [moment.timestamp() for moment in moments],
                *([None if v is None else v / scale for v in values] for values in series),
            ],
            "series": [{"name": lane.lane.label, "color": _COLOURS[lane.lane]} for lane in used],
        },
        label=finding,
        legend=[(str(lane.lane.label), _COLOURS[lane.lane].removeprefix("--team-")) for lane in used],
        heads=[str(lane.lane.label) for lane in used],
        rows=[(moment, [say(values[i]) for values in series]) for i, moment in enumerate(moments)],
    )
