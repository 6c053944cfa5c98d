"""OpenAPI documents: which operations become tools, and what a hostile document cannot do."""

import json

import pytest

from agents_app.models import Tool
from agents_app.services import imports
from agents_app.tools import schemas
from agents_app.tools.http.document import read_document
from agents_app.tools.http.openapi import operations
from console.core.errors import BadInput
from console.teams.actors import SYSTEM

SHOP = """
openapi: 3.1.0
info: {title: Shop, version: 2026-01-01}
servers: [{url: "https://{region}.api.example.com/v1", variables: {region: {default: eu}}}]
security: [{token: []}]
paths:
  /orders/{order-id}:
    parameters: [{$ref: "#/components/parameters/order"}]
    get:
      operationId: getOrder
      summary: Look at an order
      parameters:
        - {name: "filter[state]", in: query, schema: {type: string, enum: ["on", "off"]}}
        - {name: X-Trace, in: header, schema: {type: string}}
        - {name: Authorization, in: header, schema: {type: string}}
    delete:
      security: [{basic: []}]
  /orders:
    post:
      operationId: createOrder
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Order"}
  /upload:
    put:
      requestBody: {required: true, content: {multipart/form-data: {schema: {type: object}}}}
  /loop:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Loop"}}}}
  /free:
    post:
      requestBody: {required: true, content: {application/json: {schema: {type: array, items: {type: integer}}}}}
components:
  parameters:
    order:
      {name: order-id, in: path, required: true, description: Its number., schema: {type: string, pattern: "(a+)+$"}}
  securitySchemes:
    token: {type: http, scheme: bearer}
    basic: {type: http, scheme: basic}
  schemas:
    Order:
      type: object
      required: [sku]
      properties: {sku: {type: string}, count: {type: integer, minimum: 1}}
    Loop: {type: object, properties: {next: {$ref: "#/components/schemas/Loop"}}}
"""


def by_slug(text, **more):
    return {one.slug: one for one in operations(read_document(text), **more)}


def test_it_makes_tools_of_operations():
    found = by_slug(SHOP)
    assert list(found) == [
        "get_order",
        "delete_orders_order-id",
        "create_order",
        "put_upload",
        "post_loop",
        "post_free",
    ]
    get = found["get_order"]
    assert get.is_read and get.description == "Look at an order"
    assert get.config["url"] == ("https://eu.api.example.com/v1/orders/{order-id}?filter%5Bstate%5D={filter_state_}")
    assert get.config["headers"] == {"X-Trace": "{X-Trace}"}
    assert get.config["secret"] == {"in": "header", "name": "Authorization", "prefix": "Bearer "}
    assert get.parameters["required"] == ["order-id"]
    assert get.parameters["properties"]["order-id"] == {"type": "string", "description": "Its number."}
    assert get.parameters["properties"]["filter_state_"]["enum"] == ["on", "off"], "not true and false"
    assert found["delete_orders_order-id"].config["secret"]["in"] == "basic"
    create = found["create_order"]
    assert create.config["body"] == {"sku": "{sku}", "count": "{count}"} and create.parameters["required"] == ["sku"]
    assert found["post_free"].config["body"] == "{body}" and found["post_free"].parameters["required"] == ["body"]
    assert "multipart/form-data" in found["put_upload"].trouble and "circles" in found["post_loop"].trouble
    assert by_slug(SHOP, server="https://b.example")["create_order"].config["url"] == "https://b.example/orders"


def test_a_documents_host_is_checked_as_every_address_is():
    document = {"openapi": "3.0.3", "paths": {"/a": {"get": {}}}, "servers": [{"url": "http://169.254.169.254"}]}
    assert "private or reserved" in by_slug(json.dumps(document))["get_a"].trouble
    del document["servers"]
    assert "where its server is" in by_slug(json.dumps(document))["get_a"].trouble
    assert by_slug(json.dumps(document), found_at="https://a.example/x/openapi.json")["get_a"].config["url"] == (
        "https://a.example/a"
    )
    document["servers"] = [{"url": "//["}]
    odd = by_slug(json.dumps(document), found_at="https://a.example/x/openapi.json")["get_a"]
    assert odd.trouble == "'//[' is no address of a server."


@pytest.mark.parametrize("scheme", [{"type": ["http"]}, {"type": "apiKey", "in": {"a": "header"}, "name": "K"}])
def test_a_way_to_sign_in_that_is_none_takes_no_secret(scheme):
    path = {"get": {"security": [{"k": []}]}}
    document = {"openapi": "3.1.0", "paths": {"/a": path}, "components": {"securitySchemes": {"k": scheme}}}
    (made,) = operations(document, server="https://api.example.com")
    assert not made.trouble and made.config["secret"] is None


def test_a_path_makes_no_other_host_of_the_servers():
    paths = {path: {"get": {}} for path in (".evil.example/x", ":8443/x", "-evil.example/", "evil", "", "?a=/b", "/ok")}
    found = operations({"openapi": "3.1.0", "paths": paths}, server="https://api.example.com")
    assert [made.origin for made in found] == [*[""] * 6, "https://api.example.com"]
    assert {made.trouble for made in found[:-1]} == {"its path does not begin with a slash"} and not found[-1].trouble


def test_one_secret_goes_to_one_server(cast, signed_in, bella):
    """Each operation may name a server of its own, among fifty that look alike."""
    document = json.dumps(
        {
            "openapi": "3.1.0",
            "servers": [{"url": "https://api.example.com"}],
            "security": [{"token": []}],
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
            "paths": {
                "/a": {"get": {}},
                "/b": {"get": {}, "servers": [{"url": "https://api.example.com/v2"}]},
                "/open": {"get": {"security": []}, "servers": [{"url": "https://open.example.com"}]},
                "/far": {"get": {}, "servers": [{"url": "https://far.example.com"}]},
            },
        }
    )
    given = {"team": "team-a", "text": document, "url": "", "server": "", "secret": "s3cr3t"}
    assert "https://far.example.com" in signed_in(bella).post("/tools/import/", given | {"do": "read"}).text
    made = {"actor": SYSTEM, "team": cast.team_a, "document": document, "secret": "s3cr3t"}
    with pytest.raises(BadInput, match=r"sent to https://api\.example\.com, https://far\.example\.com\. Choose"):
        imports.import_operations(**made, chosen=["GET /a", "GET /far"])
    assert not Tool.objects.exists()
    assert len(imports.import_operations(**made, chosen=["GET /a", "GET /b", "GET /open"])) == 3
    assert len(imports.import_operations(**made, chosen=["GET /far"])) == 1


def test_it_refuses_what_is_no_document():
    for text, says in (
        ("swagger: '2.0'\npaths: {}", "This is Swagger 2.0"),
        ("openapi: 4.0.0", "3.0, 3.1 or 3.2"),
        ("openapi: 3.1.0", "no paths"),
        ("a: &x [1]\nb: [*x, *x]", "anchors"),
        ("a: !!python/object/apply:os.system ['true']", "uses YAML tags"),
        ("a: ! 1", "uses YAML tags"),
        ("!!map {a: 1}", "uses YAML tags"),
        # Each broke the reader, or had it take minutes for a number of sixties.
        *((f'a: !!{kind} "x"', "uses YAML tags") for kind in ("bool", "float", "int", "timestamp")),
        (f'a: !!int "{"1:" * 200_000}1"', "uses YAML tags"),
        ("{", "not JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ("a: [", "neither JSON nor YAML at line"),
        ("x" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ):
        with pytest.raises(BadInput, match=says):
            read_document(text)


def test_a_small_document_that_means_a_large_one_is_read_in_bounded_time(monkeypatch):
    monkeypatch.setattr(schemas, "MOST_TOGETHER", 5_000)
    large = {"type": "object", "properties": {f"p{n}": {"type": "string", "title": "x" * 20} for n in range(480)}}
    many = [{"name": f"n{n}", "in": "query", "schema": {"$ref": "#/components/schemas/Large"}} for n in range(3)]
    paths = {f"/p{n}": {"get": {"operationId": f"o{n}", "parameters": many}} for n in range(30)}
    document = {"openapi": "3.1.0", "servers": [{"url": "https://a.example"}], "paths": paths}
    found = operations(document | {"components": {"schemas": {"Large": large}}})
    assert len(found) == 30 and "characters together" in found[0].trouble and "took too long" in found[-1].trouble, (
        found[0]
    )


def test_what_a_schema_says_once_and_refers_to_often_is_bounded_as_it_is_read(monkeypatch):
    """Not when all of it is there: half a megabyte of document would be gigabytes and hours before."""
    dumps, written = json.dumps, []

    def measured(value, **more):
        text = dumps(value, **more)
        written.append(len(text))
        return text

    monkeypatch.setattr(json, "dumps", measured)
    refers = {f"p{n}": {"$ref": "#/big"} for n in range(240)}
    said = {
        "enum": {"enum": ["x" * 30_000]},
        "default": {"default": "x" * 30_000},
        "required": {"type": "object", "properties": {"a": {}}, "required": ["a"] * 10_000},
        "type": {"type": ["string"] * 10_000},
        "names": {"type": "object", "properties": {f"!{n}": {} for n in range(9_000)}},
    }
    for name, big in said.items():
        written.clear()
        try:
            made = schemas.simplified({"type": "object", "properties": refers}, {"big": big})
            assert name in {"required", "type"} and name not in made["properties"]["p0"]
        except schemas.TooInvolved:
            assert name in {"enum", "default", "names"}
        assert sum(written) < 200_000, name
    far = {"$ref": f"#{'/' * 900}leaf"}
    patience, leaf = schemas.Patience(), {"leaf": {"type": "string"}}
    schemas.simplified({"type": "object", "properties": {f"p{n}": far for n in range(400)}}, leaf, patience=patience)
    assert patience.left < schemas.MOST_TOGETHER - 400 * 40, "what is followed counts by its length"


def test_what_would_grow_or_be_read_again_and_again_is_stopped_early():
    variables = {f"v{n}": {"default": f"{{v{n + 1}}}{{v{n + 1}}}"} for n in range(20)}  # of which 60 double for hours
    base = {"openapi": "3.1.0", "servers": [{"url": "https://a.example/{v0}/b", "variables": variables}]}
    get = operations(base | {"paths": {"/c": {"get": {}}}})[0]
    assert get.config["url"] == "https://a.example/{v1}{v1}/b/c"
    variables["v0"] = {"default": "x" * 3_000}
    assert "too long" in operations(base | {"paths": {"/c": {"get": {}}}})[0].trouble

    same = {"parameters": [{"$ref": "#/one"}] * 101, "get": {}}  # a thousand paths may be this one
    one = {"one": {"in": "query", "name": "a"}, "same": same, "long": {"$ref": "#" + "/" * 2_000 + "same"}}
    paths = {"/a": {"$ref": "#/same"}, "/b": {"$ref": "#/long"}, "/c": {"$ref": "b.yaml"}, "/d": {"get": {}}}
    found = operations(base | one | {"paths": paths}, server="https://a.example")
    assert [made.trouble for made in found] == [
        "it has more than 100 parameters",
        "its references are too long",
        "it refers to another document",
        "",
    ]
    for text in ("openapi: 3.1.0\npaths: " + "[" * 200, "- " * 200):  # a hundred kilobytes of it took a minute
        with pytest.raises(BadInput, match="more than 32 levels"):
            read_document(text)


def test_importing_calls_nothing_and_makes_all_or_none(cast, upstream, signed_in, bella):
    text = SHOP.replace("https://{region}.api.example.com/v1", upstream.url)
    with pytest.raises(BadInput, match="circles"):
        imports.import_operations(actor=SYSTEM, team=cast.team_a, document=text, chosen=["POST /orders", "POST /loop"])
    assert not Tool.objects.exists()
    page = signed_in(bella)
    given = {"team": "team-a", "text": text, "url": "", "server": "", "secret": ""}
    read = page.post("/tools/import/", given | {"do": "read"}).text
    assert "GET /orders/{order-id}" in read and "4 of 6 can become tools" in read and "openapi: 3.1.0" in read
    chosen = given | {"do": "import", "operations": ["GET /orders/{order-id}", "POST /orders"], "secret": "s3cr3t"}
    assert page.post("/tools/import/", chosen).status_code == 302
    assert {(tool.slug, tool.effect, bool(tool.secret)) for tool in Tool.objects.all()} == {
        ("get_order", "read", True),
        ("create_order", "write", True),
    }
    again = page.post("/tools/import/", chosen)
    assert again.status_code == 422 and "already" in again.text and "GET /orders/{order-id}" in again.text
    assert not upstream.seen
    yaml = "openapi: 3.1.0\npaths:\n"
    for wrong, says in (
        ({"text": ""}, "Paste a document"),
        ({"text": "x: 1"}, "3.0, 3.1 or 3.2"),
        ({"text": f"{yaml}  x: 1e999"}, "too large to be one"),
        ({"text": f'{yaml}  "\\0": 1'}, "NUL"),
        ({"text": f'{yaml}  x: "\\ud800"'}, "neither JSON nor YAML"),
        ({"text": f"{yaml}  x: &a [1]\n  y: *a"}, "anchors"),
    ):
        answer = page.post("/tools/import/", given | {"do": "read", **wrong})
        assert answer.status_code == 422 and says in answer.text


def test_it_fetches_a_document_by_the_guarded_way_out(cast, upstream, signed_in, bella):
    page = signed_in(bella)
    upstream.enqueue(SHOP.replace("https://{region}.api.example.com/v1", "/v2"), content_type="text/yaml")
    given = {"team": "team-a", "text": "", "url": f"{upstream.url}/openapi.yaml", "server": "", "do": "read"}
    assert "GET /orders/{order-id}" in page.post("/tools/import/", given).text
    for url, says in (
        ("http://10.0.0.1/openapi.json", "private or reserved"),
        ("http://127.0.0.1:1/openapi.json", "cannot be reached"),
    ):
        answer = page.post("/tools/import/", given | {"url": url})
        assert answer.status_code == 422 and says in answer.text
    upstream.enqueue({}, status=302, extra="Location: http://127.0.0.1:1/\r\n")
    assert "answered 302" in page.post("/tools/import/", given).text


def test_it_reads_what_is_new_in_3_2_as_far_as_a_tool_can_be_made_of_it():
    whole = {
        "name": "q",
        "in": "querystring",
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": {}}},
    }
    paths = {
        "/a": {"get": {"parameters": [{"name": "x", "in": "query", "schema": {"type": "string"}}]}, "query": {}},
        "/b": {"get": {"parameters": [whole]}},
    }
    document = {"openapi": "3.2.0", "$self": "https://a.example/o", "paths": paths}
    found = by_slug(json.dumps(document | {"servers": [{"url": "https://a.example", "name": "one"}]}))
    assert found["get_a"].config["url"] == "https://a.example/a?x={x}" and not found["get_a"].trouble
    assert found["get_b"].trouble
    assert len(found) == 2
