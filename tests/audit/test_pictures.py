"""Pictures in the log: kept beside the words, shown to those who may read content, and never more than a picture."""

import base64
import json
import re
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.redaction import prepare_payload
from console.audit.search import Criteria
from console.audit.sql import search
from console.core.ids import request_id
from console.evals.records import Reader
from tests.audit.calls import a_call
from tests.conftest import Cast
from tests.make import client_of
from usage_app.queries.audit import content as contents

_SOURCES = re.compile(r'<img src="([^"]+)"')


def picture(size: tuple[int, int] = (30, 20), form: str = "PNG") -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 90).save(out, form)
    return out.getvalue()


def letters(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def chat_with(*urls: str, text: str = "What is it?") -> str:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]}
    )


def shown(client: Client, identifier: Any) -> tuple[str, list[str]]:
    page = client.get(f"/audit/{request_id(identifier)}/content/").content.decode()
    return page, [source.replace("&amp;", "&") for source in _SOURCES.findall(page.partition('<div id="content"')[2])]


def reads() -> int:
    return AuditEvent.objects.filter(action=actions.CONTENT_READ.name).count()


def test_the_last_pictures_of_a_long_body_are_kept_whole_beside_its_words(settings) -> None:
    settings.AUDIT_CONTENT_BYTES, settings.AUDIT_PICTURE_BYTES = 2_000, 100_000
    first, second, third = (letters(picture((n, 170))) for n in (200, 201, 202))
    assert len(second) + len(third) < 100_000 < len(first) + len(second) + len(third)
    body = chat_with(*(f"data:image/png;base64,{one}" for one in (first, second, third)))
    kept = prepare_payload(body)
    _, *parts = json.loads(kept.body)["messages"][0]["content"]
    urls = [part["image_url"]["url"] for part in parts]
    assert urls[1:] == [f"data:image/png;base64,{one}" for one in (second, third)]
    named = f"[not kept: {len(first)} letters, SHA-256 {sha256(first.encode()).hexdigest()}]"
    assert urls[0] == f"data:image/png;base64,{named}"
    assert kept.is_cut and (kept.bytes, kept.sha256) == (len(body), sha256(body.encode()).digest())
    assert kept.stored_sha256 == sha256(kept.raw).digest()

    # All there is room for is the body as it was; secrets and configured fields are none of the pictures' business.
    source = {"type": "base64", "media_type": "image/png", "data": third}
    message = {"messages": [{"content": [{"type": "image", "source": source}]}], "password": third}
    body = json.dumps(message).replace("/", "\\/")
    kept = prepare_payload(body)
    assert not kept.is_cut and kept.redactions == 1 and json.loads(kept.body) == message | {"password": "[redacted]"}

    # Words are cut as ever, also within a picture's place, and what only begins like a picture is words.
    for many in range(1_900, 2_010):
        kept = prepare_payload(f'{{"a": "{"x" * (many - 9)}", "b": "{third}"}}')
        assert kept.is_cut == (not kept.body.endswith(f'{third}"}}')) and "\0" not in kept.body
    told = prepare_payload('{"a": "iVBORw0KGgo and words", "b": "' + "x" * 3_000 + '"}')
    assert told.is_cut and len(told.raw) == 2_000


@pytest.mark.django_db
def test_they_stand_where_they_were_for_those_who_may_read_content(cast: Cast) -> None:
    asked, answered = picture(), picture((9, 9), "WEBP")
    image = {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{letters(answered)}"}}
    said = {"choices": [{"message": {"role": "assistant", "content": "See:", "images": [image]}}]}
    body = chat_with(f"data:image/png;base64,{letters(asked)}", "https://pictures.example/a.png")
    identifier = a_call(cast.team_a, content=(body, json.dumps(said)))
    alice = client_of(cast.alice)
    page, sources = shown(alice, identifier)
    assert [source.partition("?")[0] for source in sources] == [
        f"/audit/{request_id(identifier)}/pictures/{kind}/0/" for kind in ("input", "output")
    ]
    assert "[image at https://pictures.example/a.png]" in page and letters(asked) not in page
    assert f"[image 1: {len(letters(asked))} characters of base64]" in page, "as stored"
    for source, raw, media_type in zip(sources, (asked, answered), ("image/png", "image/webp"), strict=True):
        answer = alice.get(source)
        assert (answer.content, answer["Content-Type"]) == (raw, media_type)
        assert answer["X-Content-Type-Options"] == "nosniff" and answer["Cache-Control"] == "no-store"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert reads() == 1, "the page says it for all of its pictures"
    bare = sources[0].partition("?")[0]
    assert alice.get(bare).status_code == 200 and reads() == 2
    assert alice.get(sources[0].replace(request_id(identifier), request_id(a_call(cast.team_a)))).status_code == 404
    olga = client_of(cast.operator)
    assert olga.get(sources[0]).status_code == 200 and reads() == 3, "somebody else's word is nobody's"
    assert client_of(cast.bob).get(sources[0]).status_code == 403
    assert client_of(cast.charlie).get(sources[0]).status_code == 404
    for wrong in ("input/1/", "output/1/", "other/0/", f"input/{10**30}/"):
        assert alice.get(f"/audit/{request_id(identifier)}/pictures/{wrong}").status_code == 404


@pytest.mark.django_db
def test_no_words_are_taken_for_the_place_of_a_picture(cast: Cast) -> None:
    """A place is marked by a letter one may write, so that an answer could show what the question had."""
    answer = {"choices": [{"message": {"role": "assistant", "content": "\ufdd00\ufdd0 and"}}]}
    body = chat_with(f"data:image/png;base64,{letters(picture())}", text="\ufdd00\ufdd0 is here")
    page, sources = shown(client_of(cast.alice), a_call(cast.team_a, content=(body, json.dumps(answer))))
    assert len(sources) == 1 and "\ufdd00\ufdd0 is here" in page and "\ufdd00\ufdd0 and" in page


@pytest.mark.django_db
def test_each_wire_format_and_what_nobody_knows(cast: Cast, settings) -> None:
    settings.AUDIT_CONTENT_BYTES, settings.AUDIT_PICTURE_BYTES = 30_000, 0
    raw = letters(picture())
    source = {"type": "base64", "media_type": "image/png", "data": raw}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": source}]}
    message = {"messages": [{"role": "user", "content": [{"type": "image", "source": source}, result]}]}
    response = {
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{raw}"}]}]
    }
    made = {
        "output": [
            {"type": "image_generation_call", "result": raw},
            {"type": "message", "content": f"![a](data:image/png;base64,{raw})"},
        ]
    }
    identifier = a_call(cast.team_a, content=(json.dumps(message), json.dumps(made)))
    page, sources = shown(client_of(cast.alice), identifier)
    places = [source.partition("pictures/")[2].partition("?")[0] for source in sources]
    assert places == ["input/0/", "input/1/", "output/1/", "output/0/"] and "Images" in page
    identifier = a_call(cast.team_a, content=(json.dumps(response), "{}"))
    assert len(shown(client_of(cast.alice), identifier)[1]) == 1
    large = f"data:image/png;base64,{letters(picture((300, 300)))}"
    page, sources = shown(client_of(cast.alice), a_call(cast.team_a, content=(chat_with(large), "{}")))
    assert sources == [] and "[image not kept: " in page
    assert "What is it?" in page and "All text is kept, but not all images" in page


@pytest.mark.django_db
def test_what_is_no_picture_or_too_large_for_a_browser_is_not_served(cast: Cast) -> None:
    bomb = bytearray(picture())
    bomb[16:24] = (40_000).to_bytes(4, "big") * 2
    page = b"\x89PNG" + b"<script>alert(1)</script>" * 4  # begins like one, and is none
    vector = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    urls = [f"data:image/png;base64,{letters(raw)}" for raw in (bytes(bomb), page)]
    body = chat_with(*urls, f"data:image/svg+xml;base64,{letters(vector)}")
    identifier = a_call(cast.team_a, content=(body, "{}"))
    alice = client_of(cast.alice)
    text, sources = shown(alice, identifier)
    assert [alice.get(source).status_code for source in sources] == [404] and "[image: image/svg+xml, " in text


@pytest.mark.django_db
def test_a_search_finds_words_and_no_letters_of_pictures(cast: Cast) -> None:
    raw = letters(picture((90, 90)))
    by_chance = next(word for at in range(400, 2_000) if (word := raw[at : at + 5]).isalpha())
    identifier = a_call(cast.team_a, content=(chat_with(f"data:image/png;base64,{raw}", text="Zebra"), "{}"))
    for word, expected in (("zebra", [identifier]), (by_chance, [])):
        page = search.find(Criteria(None, text=word, content_team_ids=None), seconds=60)
        assert [event.pk for event in page.events] == expected


@pytest.mark.django_db
def test_a_call_whose_pictures_are_all_kept_can_be_asked_again(cast: Cast, settings) -> None:
    settings.AUDIT_CONTENT_BYTES = 10_000
    body = chat_with(f"data:image/png;base64,{letters(picture((200, 200)))}")
    event = AuditEvent.objects.get(pk=a_call(cast.team_a, content=(body, "{}")))
    kept = search.payloads([event.pk])[event.pk]
    assert Reader().asked("chat", event, kept["input"])[0]["messages"] == json.loads(body)["messages"]
    assert contents.pane("input", kept["input"]).turns[0].pieces[-1].picture == 0
