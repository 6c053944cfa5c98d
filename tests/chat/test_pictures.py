"""Pictures beside what one says: written anew, shown, and sent to models that look at them."""

import base64
import html
import json
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from console.catalog.models import ModelVersion
from console.chat import files, requests
from console.chat.errors import CannotSend
from console.chat.models import Message
from console.chat.queries import export
from console.chat.services import messages
from console.core.files import picture
from tests import make
from tests.api.manage.test_chat import call
from tests.chat.conftest import Room
from tests.make import client_of
from tests.upstream import sse, text_chunks

_CAMERA = b"Secret Street 5"


def picture_of(size: tuple[int, int] = (40, 20), form: str = "PNG", mode: str = "RGB", **more: Any) -> bytes:
    out = BytesIO()
    Image.new(mode, size, "red").save(out, form, **more)
    return out.getvalue()


def photograph() -> bytes:
    """Return a JPEG that was taken on its side, and says where."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010E] = _CAMERA.decode()
    return picture_of((3000, 1500), "JPEG", exif=exif)


def upload(name: str, raw: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, raw)


def seen_as(data_url: str) -> Image.Image:
    head, _, data = data_url.partition(";base64,")
    shown = Image.open(BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{str(shown.format).lower()}"
    return shown


@pytest.fixture
def seeing(room: Room) -> Room:
    ModelVersion.objects.filter(pk=room.model.pk).update(capabilities=["chat", "vision"])
    return room


def test_a_model_that_sees_is_shown_them_and_the_page_too(seeing: Room) -> None:
    room = seeing
    page = html.unescape(room.client.get(reverse("chat:chat")).content.decode())
    assert ".png,.jpg" in page and "Excel, or images" in page
    room.upstream.enqueue_stream(sse(*text_chunks("A red wall.")))
    chosen = [upload("wall.jpg", photograph()), upload("note.txt", b"North side.")]
    response = room.client.post(reverse("chat:start"), {"agent": "helper", "text": "What is this?", "files": chosen})
    assert response.status_code == 302, response.content.decode()[:3000]
    question = Message.objects.get(role="user")
    assert room.ended(question.conversation).text == "A red wall."

    words, shown = room.upstream.seen[-1].body["messages"][-1]["content"]
    assert words == {"type": "text", "text": "What is this?\n\nPicture wall.jpg.\n\nFile note.txt:\n\nNorth side."}
    sent = seen_as(shown["image_url"]["url"])
    assert sent.size == (784, 1568), "upright, and no longer than models look"
    assert not sent.getexif() and _CAMERA not in base64.b64decode(question.attachments[0]["data"])

    url = reverse("chat:file", args=[question.pk, 0])
    page = room.client.get(response["Location"]).content.decode()
    assert f'<img src="{url}" alt="wall.jpg"' in page and question.attachments[0]["data"][:40] not in page
    given = room.client.get(url)
    assert (
        given["Content-Type"] == question.attachments[0]["media_type"] and given["X-Content-Type-Options"] == "nosniff"
    )
    assert Image.open(BytesIO(given.content)).size == (784, 1568)
    assert client_of(make.make_member(room.team, make.make_user("eve@example.com"))).get(url).status_code == 404

    # Said again it is sent again, and left out where it is taken out.
    assert room.post("edit", question.pk, text="And now?") == 302
    room.ended(question.conversation)
    assert len(room.upstream.seen[-1].body["messages"][-1]["content"]) == 2
    assert room.post("edit", question.pk, text="And now?", without="0") == 302
    room.ended(question.conversation)
    assert room.upstream.seen[-1].body["messages"][-1]["content"] == "And now?\n\nFile note.txt:\n\nNorth side."


def test_where_the_alias_moves_to_a_model_that_does_not_see_it_reads_the_name(seeing: Room) -> None:
    room = seeing
    chosen = [upload("wall.png", picture_of())]
    assert room.client.post(reverse("chat:start"), {"agent": "helper", "files": chosen}).status_code == 302
    conversation = Message.objects.get(role="user").conversation
    room.ended(conversation)
    assert len(room.upstream.seen[-1].body["messages"][-1]["content"]) == 2
    ModelVersion.objects.filter(pk=room.model.pk).update(capabilities=["chat"])
    assert room.post("send", conversation.pk, text="Which colour?") == 302
    room.ended(conversation)
    sent = room.upstream.seen[-1].body["messages"]
    assert [one["content"] for one in sent if one["role"] == "user"] == ["Picture wall.png.", "Which colour?"]
    page = room.client.get(reverse("chat:conversation", args=[conversation.pk])).content.decode()
    assert ".xlsx,text/plain" in page and ".png," not in page


def test_only_the_newest_are_sent_again(seeing: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room = seeing
    monkeypatch.setattr(requests, "MOST_PICTURES", 2)
    chosen = [upload(f"{at}.png", picture_of()) for at in range(2)]
    assert room.client.post(reverse("chat:start"), {"agent": "helper", "files": chosen}).status_code == 302
    conversation = Message.objects.get(role="user").conversation
    room.ended(conversation)
    answer = room.client.post(
        reverse("chat:send", args=[conversation.pk]), {"text": "And this?", "files": [upload("2.png", picture_of())]}
    )
    assert answer.status_code == 302
    room.ended(conversation)
    first, last = (one["content"] for one in room.upstream.seen[-1].body["messages"] if one["role"] == "user")
    assert [len(first), len(last)] == [2, 2], "words and a picture each"

    # Of a long conversation the others stay in the database: many would fill the memory of a process.
    monkeypatch.setattr(requests, "MOST_PICTURES", 1)
    answer, (older, newer) = room.answer(conversation), conversation.messages.filter(role="user").order_by("pk")
    with CaptureQueriesContext(connection) as asked:
        requests.history_before(answer, room.agent)
    read = [one["sql"] for one in asked if "attachments" in one["sql"] and "jsonb_agg" not in one["sql"]]
    assert len(read) == 1 and newer.pk.hex in read[0] and older.pk.hex not in read[0]


def test_what_is_no_picture_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MOST_PIXELS", 1_000)
    bad = {
        "a.png could not be read as an image.": upload("a.png", b"\x89PNG\r\n\x1a\n and then nothing"),
        "b.gif could not be read as an image.": upload("b.gif", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "c.png has more than 64 million pixels.": upload("c.png", picture_of((50, 50))),
        "d.svg cannot be attached: files may be txt, md, csv, json, pdf, docx, xlsx, png": upload("d.svg", b"<svg/>"),
        "e.webp could not be read as an image.": upload("e.webp", picture_of(form="BMP")),
    }
    for sentence, chosen in bad.items():
        with pytest.raises(CannotSend) as refused:
            files.read([chosen], sees=True)
        assert sentence in refused.value.message


@pytest.mark.parametrize(("form", "mode"), [("GIF", "P"), ("WEBP", "RGBA"), ("PNG", "LA"), ("JPEG", "CMYK")])
def test_every_kind_is_kept_as_one_that_every_provider_takes(form: str, mode: str) -> None:
    raw = BytesIO()
    Image.new(mode, (8, 4)).save(raw, form)
    kept = picture.small_picture(raw.getvalue())
    shown = Image.open(BytesIO(kept.data))
    assert shown.size == (8, 4) and shown.mode == "RGB" and kept.media_type in {"image/png", "image/jpeg"}


def test_programs_send_them_in_base64(seeing: Room) -> None:
    room = seeing
    data = base64.b64encode(picture_of()).decode()
    for wrong, reason in [
        ({"name": "a.png", "data": "%%"}, "must be its bytes in base64"),
        ({"name": "a.txt", "data": data}, "does not have the name of an image"),
        ({"name": "a.png"}, "A file has its text, or an image's data."),
        ({"name": "a.png", "data": data, "text": "x"}, "A file has its text, or an image's data."),
    ]:
        refused = call(room.client, "POST", "conversations/", {"agent": "helper", "files": [wrong]})
        assert refused.status_code == 400 and reason in refused.json()["error"]["message"], refused.text
    given = {"agent": "helper", "files": [{"name": "a.png", "data": data}]}
    assert call(room.client, "POST", "conversations/", given).status_code == 201
    conversation = Message.objects.get(role="user").conversation
    room.ended(conversation)
    assert seen_as(room.upstream.seen[-1].body["messages"][-1]["content"][1]["image_url"]["url"]).size == (40, 20)
    question = Message.objects.get(role="user")
    listed = call(room.client, "GET", f"conversations/{conversation.pk}/messages/").json()
    assert "data" not in str(listed["data"][0]["files"])
    (file,) = call(room.client, "GET", f"messages/{question.pk}/").json()["files"]
    assert "data" not in file and file["href"] == f"/api/messages/{question.pk}/files/0/"
    shown = room.client.get(file["href"], headers={"Accept": "image/*"})
    assert shown["Content-Type"] == file["media_type"] and shown["X-Content-Type-Options"] == "nosniff"
    assert Image.open(BytesIO(shown.content)).size == (40, 20)
    assert room.client.get(f"/api/messages/{question.pk}/files/1/").status_code == 404
    other = client_of(make.make_member(room.team, make.make_user("eve@example.com")))
    assert other.get(file["href"]).status_code == 404


def test_neither_lists_nor_exports_read_all_of_them(seeing: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room = seeing
    monkeypatch.setattr(export, "_AT_ONCE", 2)
    conversation = room.start()
    room.ended(conversation)
    for number in range(2):
        answer = room.client.post(
            reverse("chat:send", args=[conversation.pk]), {"files": [upload(f"{number}.png", picture_of())]}
        )
        assert answer.status_code == 302
        room.ended(conversation)
    whole = [one.attachments for one in conversation.messages.order_by("created_at", "id")]

    def read() -> list[str]:
        """What was asked of the database for whole files."""
        return [one["sql"] for one in asked if '"chat_message"."attachments"' in one["sql"].partition(" FROM ")[0]]

    with CaptureQueriesContext(connection) as asked:
        assert call(room.client, "GET", f"conversations/{conversation.pk}/messages/").status_code == 200
        markdown = call(room.client, "GET", f"conversations/{conversation.pk}/export/?as=markdown").json()["markdown"]
        assert "Attached: 1.png" in markdown and not read()
    for path in (f"/api/conversations/{conversation.pk}/export/", reverse("chat:export_json", args=[conversation.pk])):
        with CaptureQueriesContext(connection) as asked:
            sent = json.loads(b"".join(room.client.get(path).streaming_content))
            assert len(read()) == len(whole) / 2, "some messages at a time"
        assert [one["attachments"] for one in sent["messages"]] == whole


def test_a_conversation_has_room_for_so_many(seeing: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room = seeing
    conversation = room.start()
    room.ended(conversation)
    monkeypatch.setattr(messages, "MOST_STORED", 20_000)
    send = reverse("chat:send", args=[conversation.pk])
    for status in (302, 302, 400):
        noise = BytesIO()
        Image.effect_noise((100, 100), 90).save(noise, "PNG")
        refused = room.client.post(send, {"text": "Look.", "files": [upload("a.png", noise.getvalue())]})
        assert refused.status_code == status
        room.ended(conversation)
    assert "has no room for more files" in refused.content.decode()
    assert room.post("send", conversation.pk, text="Without") == 302
    room.ended(conversation)
