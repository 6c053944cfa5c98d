"""HTTP tools: what arguments may fill, where the secret goes, what a model reads of the answer."""

import base64
import contextlib
from urllib.parse import quote

import pytest

from agents_app.models import Tool
from agents_app.services import tools
from agents_app.tools.base import ToolFailed
from agents_app.tools.http.config import checked
from agents_app.tools.registry import KINDS
from console.audit.models import AuditEvent
from console.core.crypto import decrypt
from console.core.errors import BadInput
from console.teams.actors import SYSTEM

TEXT = {"type": "string"}


def schema(**properties):
    return {"type": "object", "properties": properties}


@pytest.fixture
def made(cast, upstream):
    """Make an HTTP tool of the scripted server."""

    def make(path="/orders/{id}", parameters=None, **config):
        return tools.create_tool(
            actor=SYSTEM,
            team=cast.team_a,
            kind="http",
            slug=f"tool-{Tool.objects.count()}",
            description="Look at an order.",
            parameters=parameters or schema(id=TEXT),
            config={"url": upstream.url + path, **config},
        )

    return make


def test_arguments_stay_in_their_segment_and_their_value(made, use, upstream):
    tool = made("/orders/{id}/items?q={q}&tag={tags}&limit=5", schema(id=TEXT, q=TEXT, tags={"type": "array"}))
    for arguments, path in (
        ({"id": "a/../b?x#y", "q": "1&admin=true"}, "/orders/a%2F..%2Fb%3Fx%23y/items?q=1%26admin%3Dtrue&limit=5"),
        ({"id": "@evil.example:80", "q": "ä \r\n"}, "/orders/%40evil.example%3A80/items?q=%C3%A4%20%0D%0A&limit=5"),
        ({"id": "7", "tags": ["a b", "c&d"]}, "/orders/7/items?tag=a%20b&tag=c%26d&limit=5"),
    ):
        upstream.enqueue({"ok": True})
        assert use(tool, arguments).content == '{"ok":true}'
        assert upstream.seen[-1].path == f"/v1{path}" and upstream.seen[-1].method == "GET"
    for arguments in ({"id": ".."}, {"id": "."}, {"id": ""}, {}):
        with pytest.raises(ToolFailed, match="'id'"):
            use(tool, arguments)
    assert len(upstream.seen) == 3


def test_it_maps_the_body_and_says_which_attempt_it_is(made, use, upstream):
    body = {"amount": "{amount}", "note": "for {who}", "lines": ["{a}", "{b}"], "deep": {"why": "{why}"}, "kind": 1}
    numbers = {"type": "number"}
    parameters = schema(id=TEXT, amount=numbers, who=TEXT, a=TEXT, b=TEXT, why=TEXT)
    tool = made("/orders/{id}/refund", parameters, method="POST", body=body, headers={"X-Why": "{why}"})
    arguments = {"id": "7", "amount": 2.5, "who": "{amount}", "a": "x"}
    upstream.enqueue({"done": 1})
    use(tool, arguments, idempotency_key=tool.pk)
    seen = upstream.seen[-1]
    assert seen.body == {"amount": 2.5, "note": "for {amount}", "lines": ["x"], "deep": {}, "kind": 1}
    assert seen.headers["idempotency-key"] == str(tool.pk) and "x-why" not in seen.headers
    for value in ("a\r\nHost: evil", "ä", "a\0b"):
        with pytest.raises(ToolFailed, match="X-Why cannot be sent"):
            use(tool, {**arguments, "why": value})
    rest = made("/orders/{id}", schema(id=TEXT, a=TEXT, n=numbers), method="PUT", body="rest", encoding="form")
    use(rest, {"id": "7", "a": "x&y", "n": 3})
    assert upstream.seen[-1].raw == b"a=x%26y&n=3" and upstream.seen[-1].method == "PUT"


def test_the_secret_goes_to_its_host_and_nowhere_else(made, use, upstream):
    """It is encrypted, in no record, and another host takes it away."""
    for place, header, value in (
        ({"in": "header", "name": "Authorization", "prefix": "Bearer "}, "authorization", "Bearer s3cr3t:x"),
        ({"in": "header", "name": "X-Api-Key"}, "x-api-key", "s3cr3t:x"),
        ({"in": "basic"}, "authorization", "Basic czNjcjN0Ong="),
    ):
        tool = tools.create_tool(
            actor=SYSTEM, team=made().team, kind="http", slug=f"with-{place['in']}-{header}", description="d",
            parameters=schema(id=TEXT), config={"url": f"{upstream.url}/o/{{id}}", "secret": place}, secret="s3cr3t:x",
        )  # fmt: skip
        use(tool, {"id": "1"})
        assert upstream.seen[-1].headers[header] == value
    assert "s3cr3t" not in tool.secret and decrypt(tool.secret) == "s3cr3t:x"
    said = " ".join(str(line.detail) for line in AuditEvent.objects.all())
    assert "s3cr3t" not in said and '"secret": "set"' in said
    tools.change_tool(actor=SYSTEM, tool=tool, config={**tool.config, "url": f"{upstream.url}/other/{{id}}"})
    tool.refresh_from_db()
    assert tool.secret, "the same host keeps it"
    tools.change_tool(actor=SYSTEM, tool=tool, config={**tool.config, "url": "https://other.example/{id}"})
    tool.refresh_from_db()
    assert not tool.secret
    with pytest.raises(ToolFailed, match="secret is not set"):
        use(tool, {"id": "1"})
    with pytest.raises(BadInput, match="sends no secret"):
        tools.change_tool(actor=SYSTEM, tool=made(), secret="s3cr3t")


def test_it_refuses_what_a_tool_must_not_do(cast):
    good = {"url": "https://api.example/{id}"}
    for config, says in (
        ({"url": "https://{id}.example/"}, "cannot fill the host"),
        ({"url": "{id}://a.example/"}, "cannot fill the host"),
        ({"url": "https://a.example:{id}/"}, "cannot fill the host"),
        ({"url": "https://u:p@a.example/"}, "user name or password"),
        ({"url": "ftp://a.example/"}, "must start with"),
        ({"url": "http://10.0.0.1/"}, "private or reserved"),
        ({"url": "http://2130706433/"}, "not a host name"),
        ({"url": "https://a.example/?{id}=1"}, "cannot name query parameters"),
        ({"url": "https://a.example/a#b"}, "# part"),
        ({"url": "https://a.example/../b"}, ". or .."),
        ({**good, "headers": {"Authorization": "x"}}, "secret in its own field"),
        ({**good, "headers": {"cookie": "{id}"}}, "secret in its own field"),
        ({**good, "headers": {"Host": "x"}}, "it is ours"),
        ({**good, "headers": {"Transfer-Encoding": "x"}}, "it is ours"),
        ({**good, "headers": {"X-Forwarded-For": "x"}}, "it is ours"),
        ({**good, "headers": {"A": "b\r\nC: d"}}, "one line"),
        ({**good, "method": "TRACE"}, "not a method"),
        ({**good, "body": {"a": 1}}, "has no body"),
        ({**good, "pick": "data"}, "JSON pointer"),
        ({**good, "secret": {"in": "header", "name": "Host"}}, "cannot be sent"),
        ({**good, "verify": False}, "not part of this kind"),
        ({"url": "https://api.example/{other}"}, "does not describe"),
    ):
        with pytest.raises(BadInput, match=says):
            tools.create_tool(
                actor=SYSTEM, team=cast.team_a, kind="http", slug="t", description="d", config=config,
                parameters=schema(id=TEXT),
            )  # fmt: skip
    with pytest.raises(BadInput, match="beyond 64 bits"):
        large = schema(id={"type": "integer", "maximum": 10**30})
        tools.create_tool(
            actor=SYSTEM, team=cast.team_a, kind="http", slug="t", description="d", config=good, parameters=large
        )
    assert not Tool.objects.exists()


def test_it_shows_the_part_that_was_picked_cut_to_its_size(made, use, upstream):
    answer = {"data": {"items": [{"a/b": "yes"}, {"n": 1}]}, "rest": "x" * 5_000}
    for pick, content in (("/data/items/0/a~1b", "yes"), ("/data/items/1", '{"n":1}')):
        upstream.enqueue(answer)
        assert use(made(pick=pick), {"id": "1"}).content == content
    upstream.enqueue(answer)
    nothing = use(made(pick="/data/nope"), {"id": "1"})
    assert nothing.is_error and nothing.content == "The answer has nothing at /data/nope."
    upstream.enqueue(answer)
    cut = use(made(), {"id": "1"}, most_bytes=300)
    assert len(cut.content) < 400 and cut.content.endswith("bytes left out]")
    upstream.enqueue(b"\x89PNG\0\0", content_type="image/png")
    assert use(made(), {"id": "1"}).content == "(an answer of type image/png, 6 bytes, which is not text)"
    upstream.enqueue("not { json")
    assert use(made(), {"id": "1"}).content == "not { json"


def test_it_says_whether_a_call_may_have_happened(made, use, upstream):
    get, post = made(), made(method="POST", body="rest")
    for status, is_unknown in ((500, True), (503, True)):
        for tool in (get, post):
            upstream.enqueue({"secret": "banner"}, status=status)
            with pytest.raises(ToolFailed, match=f"answered {status}") as failed:
                use(tool, {"id": "1"})
            assert failed.value.is_unknown is (is_unknown and tool is post) and "banner" not in failed.value.sentence
    upstream.enqueue({}, status=429)
    with pytest.raises(ToolFailed) as failed:
        use(post, {"id": "1"})
    assert failed.value.may_retry and not failed.value.is_unknown
    upstream.enqueue({"error": "no such order"}, status=404)
    refused = use(post, {"id": "1"})
    assert refused.is_error and "404" in refused.content and "no such order" in refused.content
    upstream.enqueue({}, status=302, extra="Location: http://127.0.0.1:1/\r\n")
    assert "leads elsewhere" in use(get, {"id": "1"}).content
    upstream.enqueue_cut(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    with pytest.raises(ToolFailed, match="connection to the server broke") as failed:
        use(post, {"id": "1"})
    assert failed.value.is_unknown
    asked = len(upstream.seen)
    for seconds in (0.2, 2, 20):
        upstream.script.clear()
        upstream.enqueue_silence()
        with pytest.raises(ToolFailed, match=r"took too long|stopped answering") as failed:
            use(post, {"id": "1"}, seconds=seconds)
        if len(upstream.seen) > asked:  # on a slow machine the time may be over before anything is sent
            break
    assert failed.value.is_unknown
    Tool.objects.filter(pk=post.pk).update(config={**post.config, "url": "http://127.0.0.1:1/{id}"})
    post.refresh_from_db()
    with pytest.raises(ToolFailed, match="cannot be reached") as failed:
        use(post, {"id": "1"})
    assert not failed.value.is_unknown and failed.value.may_retry


def test_an_answer_without_end_is_not_read_to_its_end(made, use, upstream):
    upstream.enqueue(b"x" * (6 * 1024 * 1024), content_type="text/plain")
    with pytest.raises(ToolFailed, match="larger than"):
        use(made(), {"id": "1"})


def test_what_a_server_answers_can_be_kept_and_holds_no_secret(made, use, upstream):
    for raw, kind, content in (
        (b'"\\ud800 half"', "application/json", "? half"),
        (b'{"a": "\\u0000"}', "application/json", '{"a":"\\u0000"}'),
        (b"[" * 100_000, "application/json", "[" * 100),
        (b"1" * 5_000, "application/json", "1" * 100),
        (b"gr\xfc\xdf", "text/plain; charset=ISO-8859-1", "grüß"),
        (b"-b9" * 99, "text/plain; charset=punycode", "-b9"),
        (b"\\ud800", "text/plain; charset=unicode_escape", "\\ud800"),
        (b"a.b", "text/plain; charset=idna", "a.b"),
        (b"a", "text/plain; charset=undefined", "a"),
        (b"a", "text/plain; charset=windows-9999", "a"),
    ):
        upstream.enqueue(raw, content_type=kind)
        said = use(made(), {"id": "1"}).content
        assert said.startswith(content) and said.encode(), kind
    secret = 'user:p"ss wörd'.replace("ö", "o")
    for place in ({"in": "header", "name": "X-Key"}, {"in": "query", "name": "key"}, {"in": "basic"}):
        tool = made(secret=place)
        tools.change_tool(actor=SYSTEM, tool=tool, secret=secret)
        tool.refresh_from_db()
        for status in (200, 404):
            basic = base64.b64encode(secret.encode()).decode()
            upstream.enqueue(
                {"args": [quote(secret, safe="")], "headers": {"x": secret, "a": f"Basic {basic}"}}, status=status
            )
            said = use(tool, {"id": "1"}).content
            assert said.count("[secret]") == 3 and "p%22ss" not in said and basic not in said and "ss word" not in said


def test_values_of_odd_types_are_refused_wherever_they_stand():
    """By every kind, for each field: a bad request is a sentence, not a 500."""
    odd = [None, True, 1.5, 10**17, "x", [1], [[]], {}, {"a": 1}, {"in": []}, {"type": ["string"]}]
    fields = {
        "http": {
            "url": "https://a.example/{x}",
            "method": "GET",
            "headers": {"X-A": "b"},
            "encoding": "json",
            "pick": "/a",
        }
        | {"body": None, "secret": {"in": "header", "name": "X-K", "prefix": ""}},
        "fetch": {"hosts": ["a.example"]},
        "person": {"form": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "wait": {"most_seconds": 5},
        "queue": {"queue": "q", "actions": ["put"]},
        "completion": {"alias": "a", "prompt": "p"},
    }

    def variants(base):
        for name, value in base.items():
            inside = variants(value) if isinstance(value, dict) else ([one] for one in odd) if value else ()
            yield from ({**base, name: one} for one in (*odd, *inside))

    for slug, base in fields.items():
        for config in variants(base):
            with contextlib.suppress(BadInput):
                KINDS[slug].schema(KINDS[slug].check(config), {})


def test_every_kind_has_the_one_shape():
    for slug, kind in KINDS.items():
        assert (kind.slug, kind.effect in {"read", "write"}) == (slug, True)
        assert kind.label and kind.sentence and kind.icon


def test_a_request_with_a_body_carries_what_fills_no_place_unless_it_says_otherwise() -> None:
    said = {"url": "https://api.example.com/restart"}
    bodies = [checked({**said, "method": method})["body"] for method in ("POST", "PUT", "PATCH", "DELETE", "GET")]
    assert bodies == ["rest", "rest", "rest", None, None]
    assert checked({**said, "method": "POST", "body": None})["body"] is None
