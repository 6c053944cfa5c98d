"""Files beside what one says: read as text, sent with it, kept within limits, refused in one sentence."""

import html

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from console.chat import files
from console.chat.models import Message
from console.core.files import isolated
from tests.chat.conftest import Room
from tests.chat.test_conversations import talk
from tests.conftest import Cast
from tests.make import client_of
from tests.upstream import sse, text_chunks


def pdf_of(*pages: str, **spelled: str) -> bytes:
    """Return a small PDF with these texts, a page each; `spelled` is what letters of its font stand for, in UTF-16."""
    bodies = [f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode() for text in pages]
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {4 + 2 * len(pages)} 0 R >>".encode(),
    ]
    for at, body in enumerate(bodies):
        page = f"<< /Type /Page /Parent 2 0 R /Contents {5 + 2 * at} 0 R /MediaBox [0 0 300 200]"
        parts.append(f"{page} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(body), body))
    pairs = "\n".join(f"<{ord(letter):02x}> <{code}>" for letter, code in spelled.items())
    stands_for = f"begincmap\n{len(spelled)} beginbfchar\n{pairs}\nendbfchar\nendcmap".encode()
    parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stands_for), stands_for))
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(parts) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, out.rindex(b"xref\n0"))


def upload(name: str, content: bytes | str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def test_it_sends_the_text_of_files_and_shows_their_names(room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("Two plans.")))
    chosen = [upload("plans.csv", "plan,price\nA,5\n"), upload("manual.pdf", pdf_of("Turn it off.", "Turn it on."))]
    response = room.client.post(reverse("chat:start"), {"agent": "helper", "text": "Compare.", "files": chosen})
    assert response.status_code == 302, response.content.decode()[:3000]
    question = Message.objects.get(role="user")
    answer = room.ended(question.conversation)
    assert answer.text == "Two plans."
    sent = room.upstream.seen[-1].body["messages"][-1]["content"]
    assert sent.startswith("Compare.\n\nFile plans.csv:\n\nplan,price\nA,5")
    assert "File manual.pdf:\n\nTurn it off.\n\nTurn it on." in sent

    page = room.client.get(response["Location"]).content.decode()
    assert "plans.csv" in page and "manual.pdf" in page and "plan,price" not in page
    saved = room.client.get(reverse("chat:file", args=[question.pk, 0]))
    assert saved.content.decode() == "plan,price\nA,5" and saved["Content-Type"].startswith("text/plain")
    assert saved["Content-Disposition"] == 'attachment; filename="file-1.txt"'
    assert room.client.get(reverse("chat:file", args=[question.pk, 2])).status_code == 404

    # Said differently, without one of them.
    assert room.client.post(
        reverse("chat:edit", args=[question.pk]), {"text": "Only the prices.", "without": ["1"]}
    ).status_code == 302  # fmt: skip
    room.ended(question.conversation)
    sent = room.upstream.seen[-1].body["messages"][-1]["content"]
    assert "Only the prices." in sent and "plans.csv" in sent and "manual.pdf" not in sent


def test_it_takes_files_without_a_word(room: Room) -> None:
    response = room.client.post(
        reverse("chat:start"), {"agent": "helper", "text": "", "files": [upload("a\u202etxt.md", "# Title")]}
    )
    assert response.status_code == 302
    conversation = Message.objects.get(role="user").conversation
    room.ended(conversation)
    assert conversation.title == "atxt.md"


def test_it_refuses_in_one_sentence_and_keeps_what_was_typed(cast: Cast) -> None:
    made = talk(cast)
    alice, send = client_of(cast.alice), reverse("chat:send", args=[made.pk])
    many = [upload(f"{number}.txt", "x") for number in range(6)]
    bad = {
        "tune.mp3 cannot be attached: files may be txt, md, csv, json, pdf, docx or xlsx.": [
            upload("tune.mp3", b"ID3")
        ],
        "photo.png cannot be attached: the model behind this assistant does not accept images.": [
            upload("photo.png", b"\x89PNG")
        ],
        "A message may have 5 files; you chose 6.": many,
        "big.txt is larger than 10 MB. Attach the part that matters.": [
            upload("big.txt", b"x" * (files.MOST_BYTES + 1))
        ],
        "long.txt has 200,001 characters; a message may carry 200,000.": [upload("long.txt", "x" * 200_001)],
        "The files have 250,000 characters": [upload("a.txt", "x" * 125_000), upload("b.txt", "y" * 125_000)],
        "latin.csv is not text in UTF-8. Save it as UTF-8 and attach it again.": [upload("latin.csv", b"caf\xe9")],
        "x.json is not text in UTF-8.": [upload("x.json", b"a\x00b")],
        "none.md is empty.": [upload("none.md", " \n")],
        "broken.pdf could not be read as PDF.": [upload("broken.pdf", b"%PDF-1.7 nothing")],
        "scan.pdf has no text that can be read": [upload("scan.pdf", pdf_of(""))],
        "book.pdf has more than 200 pages.": [upload("book.pdf", pdf_of(*["x"] * 201))],
    }
    for sentence, chosen in bad.items():
        for file in chosen:
            file.seek(0)
        page = alice.post(send, {"text": "Look <here>.", "files": chosen})
        shown = html.unescape(page.content.decode())
        assert page.status_code == 400 and sentence in shown and "Choose the files again" in shown, sentence
        assert "Look <here>." in shown
        for file in chosen:
            file.seek(0)
        piece = alice.post(send, {"text": "Look.", "files": chosen}, headers={"HX-Request": "true"})
        assert piece.status_code == 422 and piece["HX-Retarget"] == "#cannot-send"
        assert sentence in html.unescape(piece.content.decode())
    assert made.messages.count() == 2


def test_it_leaves_out_what_a_font_spells_that_is_no_character(room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("Two.")))
    # A half of a character, NUL, and two halves that are one.
    manual = pdf_of("AB CD", A="D835", B="0000", C="D835", D="DC00")
    chosen = {"agent": "helper", "text": "How many?", "files": [upload("manual.pdf", manual)]}
    assert room.client.post(reverse("chat:start"), chosen).status_code == 302
    question = Message.objects.get(role="user")
    assert question.attachments[0]["text"] == "\ufffd \U0001d400"
    room.ended(question.conversation)


def test_it_gives_up_a_pdf_that_takes_too_long(cast: Cast, monkeypatch) -> None:
    made = talk(cast)
    monkeypatch.setattr(isolated, "SECONDS", 0)
    page = client_of(cast.alice).post(
        reverse("chat:send", args=[made.pk]), {"text": "Read.", "files": [upload("slow.pdf", pdf_of("x"))]}
    )
    assert page.status_code == 400 and "slow.pdf took longer than 10 seconds to read" in page.content.decode()


def test_it_reads_what_spreadsheets_write(cast: Cast) -> None:
    read = files.read([upload("a.csv", "\ufeffä;b".encode()), upload("b.csv", "ä;b".encode("utf-16"))])
    assert [one["text"] for one in read] == ["ä;b", "ä;b"]
    given = ["../../etc/passwd", "C:\\x\\" + "n" * 300 + ".json"]
    names = [one["name"] for one in files.of_values([{"name": name, "text": "x"} for name in given])]
    assert names == ["passwd", "n" * 100 + ".json"]


def test_it_hides_files_from_those_who_may_not_read(cast: Cast) -> None:
    made = talk(cast)
    question = made.messages.get(role="user")
    question.attachments = files.of_values([{"name": "secret.txt", "text": "Only for Alice."}])
    question.save()
    url = reverse("chat:file", args=[question.pk, 0])
    assert [client_of(one).get(url).status_code for one in (cast.alice, cast.bob)] == [200, 404]


def test_the_name_a_program_gives_holds_nothing_that_cannot_be_seen() -> None:
    """A form's is without already; members of the team read it where a conversation is shared."""
    (kept,) = files.of_values([{"name": "a/\u202efdp.exe\u200b\x1b.txt", "text": "x"}])
    assert kept["name"] == "fdp.exe.txt"
