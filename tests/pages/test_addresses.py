"""What stands in an address and can be stored nowhere."""

from django.test import Client

from tests.conftest import Cast


def test_a_nul_in_an_address_is_not_there_for_pages_and_refused_to_programs(cast: Cast) -> None:
    alice = Client()
    alice.force_login(cast.alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = alice.get("/keys/?q=%00kim")
    assert page.status_code == 200 and "kim" in page.text
    assert alice.get("/palette/?q=%00").status_code == alice.get("/palette/?q=").status_code
    for address in ("/api/conversations/?agent=%00", "/api/audit/?text=a%00", "/api/keys/?team=%00"):
        answer = alice.get(address)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request"), address
    olga = Client()
    olga.force_login(cast.operator, backend="allauth.account.auth_backends.AuthenticationBackend")
    for address in ("/models/aliases/%00/", "/teams/a%00b/", "/api/aliases/%00/"):
        assert olga.get(address).status_code == 404, address
