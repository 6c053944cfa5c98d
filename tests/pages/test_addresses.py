"""What stands in an address or a form and can be stored nowhere."""

from urllib.parse import urlencode

from django.test import Client

from console.evals.models import TestCase as Case
from tests import make
from tests.conftest import Cast
from tests.make import client_of


def test_a_nul_in_an_address_is_not_there_for_pages_and_refused_to_programs(cast: Cast) -> None:
    alice = client_of(cast.alice)
    page = alice.get("/keys/?q=%00kim")
    assert page.status_code == 200 and "kim" in page.text
    assert alice.get("/palette/?q=%00").status_code == alice.get("/palette/?q=").status_code
    for address in ("/api/conversations/?agent=%00", "/api/audit/?text=a%00", "/api/keys/?team=%00"):
        answer = alice.get(address)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "invalid_request"), address
        assert error["request_id"] == answer["X-Request-Id"] and error["request_id"].startswith("req_")
    olga = client_of(cast.operator)
    for address in ("/models/aliases/%00/", "/teams/a%00b/", "/api/aliases/%00/"):
        assert olga.get(address).status_code == 404, address


def test_a_nul_in_a_form_is_refused_with_the_fields_name(cast: Cast) -> None:
    alice, prompt = Client(), make.make_prompt(cast.team_a)
    alice.force_login(cast.alice)
    url = f"/prompts/{prompt.slug}/-/tests/new/"
    typed = {"name": "One", "message": "Hi", "c-0-kind": "contains", "c-0-value": "yes"}
    for field in ("name", "c-0-value"):
        hostile = typed | {field: "T\0wo"}
        whole = alice.post(url, hostile)
        encoded = alice.post(url, urlencode(hostile), content_type="application/x-www-form-urlencoded")
        for refused in (whole, encoded):
            assert refused.status_code == 400
            assert f"{field} holds a NUL character (U+0000)" in refused.content.decode()
    assert not Case.objects.exists()
