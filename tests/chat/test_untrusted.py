"""Words of models, people and files on the chat's pages: they change what is read there, never what is there."""

import json
from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse

from console.chat import files
from console.chat.models import Conversation, Feedback, Message, Visitor, Widget
from console.teams.models import User
from tests import make
from tests.chat.corpus import ATTACKS
from tests.conftest import Cast
from tests.make import client_of

_HARMLESS = "An ordinary line."
# Outside of answers nothing is read as Markdown, so what counts there is what gets out of text, of an attribute, of a
# script or of a line, also if it had gone through what makes answers harmless: that leaves links, pictures and
# paragraphs in, so these stand for all elements. What answers make of each attack is seen in test_markdown.py; here an
# answer has all of them.
_KINDS = ("<a ", "<p data-hx", "![x]", '">', "&lt;", "[\u202e", "<x-a", "<!--")
_OUTSIDE = [one for one in ATTACKS if one.startswith(_KINDS)]
_ALL = "\n\n".join(ATTACKS)


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, in order; what is inside answers is left out."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self._inside = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = tuple(name for name, _ in attrs)
        if "data-answer" in names:
            self._inside = 1
        elif self._inside:
            self._inside += tag == "div"
        elif (tag, dict(attrs).get("class")) != ("span", "ghost"):  # a hidden character, shown by its number
            self.found.append((tag, names))

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._inside -= tag == "div"


def _say_everywhere(made: Conversation, person: User, words: str, answered: str = "") -> None:
    """Put the words wherever somebody else's words stand on the chat's pages, and in an answer what is `answered`."""
    short = words.replace("\x00", "")
    User.objects.filter(pk=person.pk).update(name=short[:80])
    agent = made.agent
    agent.name, agent.description = short[:80], short[:200]
    agent.save()
    make.publish_agent(agent, opening_message=short, suggested_questions=[" ".join(short.split())[:200]])
    Conversation.objects.filter(pk=made.pk).update(title=short[:120])
    question, answer = made.messages.order_by("created_at", "id")
    question.text, question.author_name = short, short[:200]
    question.attachments = files.of_values([{"name": f"{short[:80]}.txt", "text": short}])
    question.save()
    answer.text, answer.author_name = (answered or words).replace("\x00", ""), short[:200]
    answer.trouble, answer.model = short[:500], short[:270]
    answer.status = "failed"
    answer.save()
    Feedback.objects.update_or_create(
        message=answer, person=person, defaults={"is_good": False, "comment": short[:500]}
    )


def _pages(client: Client, made: Conversation) -> dict[str, str]:
    urls = {
        "new": reverse("chat:chat"),
        "conversation": reverse("chat:conversation", args=[made.pk]),
        "found": f"{reverse('chat:chat')}?q=a",
        "rename": f"{reverse('chat:conversation', args=[made.pk])}?rename",
        "turn": reverse("chat:message", args=[made.leaf_id]),
    }
    return {name: client.get(url).content.decode() for name, url in urls.items()}


def test_it_shows_words_and_makes_nothing_of_them(cast: Cast) -> None:
    agent = make.make_agent(cast.team_a)
    made = Conversation.objects.create(team=cast.team_a, agent=agent, owner=cast.alice, title="x")
    question = Message.objects.create(conversation=made, role="user", text="x", author=cast.alice)
    made.leaf = Message.objects.create(conversation=made, parent=question, role="assistant", text="x")
    made.save()
    alice = client_of(cast.alice)
    _say_everywhere(made, cast.alice, _HARMLESS)
    usual = {name: Skeleton(html).found for name, html in _pages(alice, made).items()}
    for attack in _OUTSIDE:
        _say_everywhere(made, cast.alice, attack, answered=_ALL)
        for name, html in _pages(alice, made).items():
            assert Skeleton(html).found == usual[name], f"{name}: {attack}"
        piece = alice.post(
            reverse("chat:send", args=[made.pk]), {"text": "x" * 100_001}, headers={"HX-Request": "true"}
        )
        assert piece.status_code == 422
        saved = alice.get(reverse("chat:export_markdown", args=[made.pk]))
        assert "\n" not in saved["Content-Disposition"] and attack[:6] not in saved["Content-Disposition"]
        attached = alice.get(reverse("chat:file", args=[question.pk, 0]))
        assert attached["Content-Disposition"] == 'attachment; filename="file-1.txt"'
        assert attached["X-Content-Type-Options"] == "nosniff"


def _widget_pages(client: Client, made: Conversation) -> dict[str, str]:
    assert made.widget is not None
    of_widget, of_visit = [made.widget_id], [made.widget_id, made.pk]
    urls = {
        "widgets": reverse("chat:widgets"),
        "new": reverse("chat:new_widget"),
        "widget": reverse("chat:widget", args=of_widget),
        "conversations": reverse("chat:visits", args=of_widget),
        "conversation": reverse("chat:visit", args=of_visit),
        "frame": reverse("embed:frame", args=[made.widget.public_id]),
        "agent": reverse("agents:agent", args=[made.agent.slug]),
    }
    return {name: client.get(url).content.decode() for name, url in urls.items()}


def _say_in_widget(made: Conversation, words: str, answered: str = "") -> None:
    """Put the words wherever a visitor, a site or whoever makes widgets has some."""
    short = words.replace("\x00", "")
    assert made.widget is not None
    widget = Widget.objects.filter(pk=made.widget_id)
    widget.update(
        name=short[:60], title=short[:60], greeting=short, suggested_questions=[" ".join(short.split())[:200]]
    )
    Visitor.objects.filter(pk=made.visitor_id).update(name=short[:80], identity=short[:200])
    Conversation.objects.filter(pk=made.pk).update(title=short[:120])
    User.objects.filter(pk=made.taken_by_id).update(name=short[:80])
    made.messages.update(text=short, author_name=short[:200])
    made.messages.filter(role="assistant").update(text=(answered or words).replace("\x00", ""))
    Feedback.objects.update(comment=short[:500])
    made.agent.name = short[:80]
    made.agent.save()


def test_it_makes_nothing_of_the_words_of_visitors_and_widgets(cast: Cast) -> None:
    widget = make.make_widget(cast.team_a, public_id="shop1", suggested_questions=["x"], title="x", greeting="x")
    made = make.make_visit(widget, "x", "x", taken_by=cast.bob)
    Feedback.objects.create(message=made.leaf, visitor=made.visitor, is_good=False, comment="x")
    alice = client_of(cast.alice)
    _say_in_widget(made, _HARMLESS)
    usual = {name: Skeleton(html).found for name, html in _widget_pages(alice, made).items()}
    for attack in _OUTSIDE:
        _say_in_widget(made, attack, answered=_ALL)
        for name, html in _widget_pages(alice, made).items():
            assert Skeleton(html).found == usual[name], f"{name}: {attack}"
        # In the snippet they stand in one JSON value, and are set as text and attributes by the script.
        script = alice.get(reverse("embed:snippet", args=["shop1"])).content.decode()
        config = json.JSONDecoder().raw_decode(script.partition("const config = ")[2])[0]
        assert config["title"] == attack.replace("\x00", "")[:60]
