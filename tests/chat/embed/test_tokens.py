"""What visitors hold, which sites a widget answers, and who a site vouches for."""

import time

import pytest
from django.core import signing
from django.test import RequestFactory
from django.utils import timezone

from console.chat.embed import origins, signed_identity, tokens
from console.chat.embed.colours import contrast, on, on_white
from console.chat.embed.errors import IdentityRefused
from console.chat.embed.texts import _WORDS, LANGUAGES, words_for
from console.chat.models import Widget
from console.core.crypto import encrypt

SHOP, OTHER = "https://shop.example", "https://other.example"


def _widget(public_id: str = "w1", **fields: object) -> Widget:
    return Widget(public_id=public_id, name="Shop", origins=[SHOP], **fields)


def test_a_token_is_good_for_its_widget_its_site_and_its_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = _widget()
    token = tokens.mint(widget=widget, origin=SHOP)
    held = tokens.read(token, widget=widget)
    assert held is not None and (held.widget, held.origin, held.identity) == ("w1", SHOP, "")
    assert tokens.read(tokens.mint(widget=widget, origin=SHOP, before=held), widget=widget) == held
    assert tokens.read(token, widget=_widget("w2")) is None
    assert tokens.read(token, widget=Widget(public_id="w1", origins=[OTHER])) is None
    for wrong in ("", token[:-1], "x" + token, token * 40, "a:b:c", signing.dumps(["w1", SHOP], salt="another")):
        assert tokens.read(wrong, widget=widget) is None
    shapeless = signing.dumps({"w": "w1"}, salt=tokens._SALT)
    assert tokens.read(shapeless, widget=widget) is None
    moment = timezone.now().timestamp()
    monkeypatch.setattr("django.core.signing.time.time", lambda: moment + tokens.SECONDS + 5)
    assert tokens.read(token, widget=widget) is None
    assert tokens.read(token, widget=widget, seconds=tokens.RETURN_SECONDS) == held


def test_whoever_has_a_long_name_has_a_token_that_can_be_read() -> None:
    widget, identity, name = _widget(), "客" * signed_identity.LONGEST, "🦊" * signed_identity.LONGEST_NAME
    held = tokens.read(tokens.mint(widget=widget, origin=SHOP, identity=identity, name=name), widget=widget)
    assert held is not None and (held.identity, held.name) == (identity, name)


def test_origins_are_compared_exactly_and_written_as_browsers_do() -> None:
    assert origins.normal(" HTTPS://Shop.Example:443/ ") == SHOP
    assert origins.normal("http://localhost:8080") == "http://localhost:8080"
    assert origins.normal("https://bücher.example") == "https://xn--bcher-kva.example"
    assert origins.normal("http://[::1]:3000") == "http://[::1]:3000"
    for wrong in (
        "",
        "shop.example",
        "https://*.example",
        "https://a.example/x",
        "ftp://a.example",
        "null",
        "https://",
    ):
        assert origins.normal(wrong) == "", wrong
    for wrong in (
        "https://u@a.example",
        "https://a.example:99999",
        "https://a.example?x",
        "javascript:alert(1)",
        "https://a;b.c",
        "https://a,b.c",
    ):
        assert origins.normal(wrong) == "", wrong
    assert origins.is_allowed(SHOP, [SHOP]) and not origins.is_allowed(SHOP, [])
    for near in ("http://shop.example", f"{SHOP}:8443", "https://a.shop.example", f"{SHOP}.evil.example", "null", ""):
        assert not origins.is_allowed(near, [SHOP, "null", ""]), near
    ours = RequestFactory().get("/", headers={"Origin": "http://testserver"})
    assert origins.is_ours(ours) and origins.is_ours(RequestFactory().get("/"))
    assert not origins.is_ours(RequestFactory().get("/", headers={"Origin": SHOP}))


def test_a_site_vouches_with_the_widgets_secret_only() -> None:
    widget = _widget(identity_secret=encrypt("s3cret"))
    good = signed_identity.sign("s3cret", "ada@shop.example")
    assert signed_identity.vouched(widget, "ada@shop.example", good.upper()) == "ada@shop.example"
    wrong = [("bob@shop.example", good), ("ada@shop.example", good[:-1]), ("ada@shop.example", ""), ("", good)]
    wrong += [
        (None, good),
        ("a\nb", signed_identity.sign("s3cret", "a\nb")),
        ("a" * 201, signed_identity.sign("s3cret", "a" * 201)),
    ]
    for identity, signature in [*wrong, ({"id": 1}, good), ("ada", ["x"]), ("ä", "ä")]:
        with pytest.raises(IdentityRefused):
            signed_identity.vouched(widget, identity, signature)
    later, past = int(time.time()) + 60, int(time.time()) - 1
    ending = signed_identity.sign("s3cret", "ada", later)
    assert signed_identity.vouched(widget, "ada", ending, later) == "ada"
    endless, over = signed_identity.sign("s3cret", "ada"), signed_identity.sign("s3cret", "ada", past)
    for signature, expires in (
        *((ending, None), (ending, later + 1), (ending, past), (ending, str(later)), (endless, later)),
        *(
            (over, past),
            (signed_identity.sign("s3cret", "ada", True), True),
            (signed_identity.sign("s3cret", "ada", -1), -1),
        ),
    ):
        with pytest.raises(IdentityRefused):
            signed_identity.vouched(widget, "ada", signature, expires)
    for unsigned in (_widget(), _widget(identity_secret="not encrypted")):
        with pytest.raises(IdentityRefused):
            signed_identity.vouched(unsigned, "ada", signed_identity.sign("", "ada"))
    token = tokens.mint(widget=widget, origin=SHOP, identity="ada")
    assert tokens.read(token, widget=widget) is not None
    assert tokens.read(token, widget=_widget(identity_secret=encrypt("another"))) is None
    assert signed_identity.shown_name(" Ada\n\u202eLovelace \x00") == "Ada Lovelace"
    assert signed_identity.shown_name({"a": 1}) == "" and len(signed_identity.shown_name("a" * 500)) == 80


def test_every_language_says_everything_and_every_colour_can_be_read() -> None:
    english = _WORDS["en"]
    assert _WORDS.keys() == LANGUAGES.keys() and words_for("xx") == english
    for language, words in _WORDS.items():
        assert words.keys() == english.keys() and all(words.values()), language
    assert contrast("#000000", "#ffffff") == 21 and round(contrast("#767676", "#ffffff"), 2) == 4.54, "as WCAG counts"
    for colour in ("#0b6074", "#ffe600", "#ffffff", "#000000", "#ff8800"):
        assert contrast(on(colour), colour) >= 4.5 and contrast(on_white(colour), "#ffffff") >= 4.5
