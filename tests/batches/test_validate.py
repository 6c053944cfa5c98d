"""Files that cannot be run are refused as a whole, with the line and what is wrong with it."""

import json
from collections.abc import Callable

from console.batches.models import Batch, Line
from console.batches.storage import CHUNK
from console.teams.actors import SYSTEM
from console.teams.services.keys import change_key
from tests.batches.conftest import line
from tests.gateway.conftest import World

Make, Run = Callable[..., Batch], Callable[[Batch], Batch]


def test_it_names_line_and_fault(world: World, make_batch: Make, run: Run) -> None:
    batch = run(
        make_batch(
            line(1),
            "not json",
            "",
            line(1),
            {**line(2), "method": "GET"},
            line(3, url="/v1/embeddings"),
            {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions"},
            line(4, stream=True),
            line(5, temperature="hot"),
            '{"custom_id": "a", "custom_id": "b"}',
            "[1]",
        )
    )
    assert batch.state == "failed" and batch.failed_at and not Line.objects.exists()
    assert [(e["line"], e["code"], e["param"]) for e in batch.errors] == [
        (2, "invalid_json_line", None),
        (5, "invalid_method", "method"),
        (6, "mismatched_endpoint", "url"),
        (7, "missing_required_parameter", "body"),
        (8, "invalid_request", "body.stream"),
        (9, "invalid_request", "temperature"),
        (10, "invalid_json_line", None),
        (11, "invalid_json_line", None),
        (4, "duplicate_custom_id", "custom_id"),
    ]
    assert not world.upstream.seen


def test_unknown_fields_go_by_the_word_of_its_key(world: World, make_batch: Make, run: Run) -> None:
    lines = line(1, store=False), line(2, guided_regex="a+")
    key, by = world.key, {"actor": SYSTEM, "name": world.key.name, "scopes": world.key.scopes}
    change_key(key=key, **by, unknown_fields="refuse")
    batch = run(make_batch(*lines))
    assert (batch.state, [(e["line"], e["param"]) for e in batch.errors]) == ("failed", [(2, "guided_regex")])
    change_key(key=key, **by, unknown_fields="drop")
    assert run(make_batch(*lines)).completed == 2
    named = [json.loads(call.detail or "{}").get("dropped_fields") for call in world.calls()]
    assert sorted(named, key=str) == [["guided_regex"], ["store"]]
    assert not any({"guided_regex", "store"} & seen.body.keys() for seen in world.upstream.seen)


def test_it_refuses_empty_and_endless_files(make_batch: Make, run: Run, settings) -> None:
    settings.BATCH_MAX_LINES = 2
    assert run(make_batch("", "  ")).errors[0]["code"] == "empty_file"
    assert run(make_batch(line(1), line(2), line(3))).errors[0]["code"] == "too_many_lines"


def test_lines_across_chunks_are_read_whole_and_too_long_ones_refused(
    world: World, make_batch: Make, run: Run, settings
) -> None:
    long = line(1)
    long["body"]["messages"][0]["content"] = "é" * CHUNK
    batch = run(make_batch(line(0), long, line(2)))
    assert (batch.state, batch.completed) == ("completed", 3)
    assert any(len(s.body["messages"][0]["content"]) == CHUNK for s in world.upstream.seen)
    settings.GATEWAY_BODY_BYTES = 100_000
    batch = run(make_batch(line(0), long, line(2), "wrong"))
    assert [(e["line"], e["code"]) for e in batch.errors] == [(2, "line_too_long"), (4, "invalid_json_line")]
