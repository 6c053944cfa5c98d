"""Words of models, people and files on the chat's pages: they change what is read there, never what is there."""

from html.parser import HTMLParser

from django.test import Client
from django.urls import reverse

from console.chat import files
from console.chat.models import Conversation, Feedback, Message
from console.teams.models import User
from tests import make
from tests.chat.conftest import signed_in
from tests.chat.corpus import ATTACKS
from tests.conftest import Cast

_HARMLESS = "An ordinary line."


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


def _say_everywhere(made: Conversation, person: User, words: str) -> None:
    """Put the words wherever somebody else's words stand on the chat's pages."""
    short = words.replace("\x00", "")
    User.objects.filter(pk=person.pk).update(name=short[:80])
    agent = made.agent
    agent.name, agent.description = short[:80], short[:200]
    agent.save()
    make.publish_agent(agent, opening_message=short, suggested_questions=[" ".join(short.split())[:200]])
    Conversation.objects.filter(pk=made.pk).update(title=short[:120])
    question, answer = made.messages.order_by("created_at", "id")
    question.text, question.author_name = short, short[:200]
    question.attachments = files.of_texts([(f"{short[:80]}.txt", short)])
    question.save()
    answer.text, answer.author_name, answer.trouble, answer.model = short, short[:200], short[:500], short[:270]
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
    alice = signed_in(cast.alice)
    _say_everywhere(made, cast.alice, _HARMLESS)
    usual = {name: Skeleton(html).found for name, html in _pages(alice, made).items()}
    for attack in ATTACKS:
        _say_everywhere(made, cast.alice, attack)
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
