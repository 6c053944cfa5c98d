"""A new encryption key in front: every stored secret gets it, and none can be forgotten."""

import ast
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.apps import apps
from django.conf import settings as installed
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.core.crypto import decrypt, encrypt, is_newest
from console.pages.reencryption import columns
from tests import make
from tests.test_architecture import lets_go_of_the_trees, trees  # noqa: F401 (a fixture)


def name_of(function: ast.AST) -> str:
    """Return the last name of what is called; what is neither a name nor an attribute has none."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def names_given(tree: ast.AST) -> set[str]:
    """Return what results of `encrypt` are assigned to, passed as or put under."""
    found: set[str] = set()

    def encrypts(node: ast.AST) -> bool:
        """Say whether a value is what was encrypted; what stands inside under a name of its own is found by that."""
        if isinstance(node, ast.Dict | ast.keyword):
            return False
        if isinstance(node, ast.Call) and name_of(node.func).endswith("encrypt"):
            return True
        return any(encrypts(child) for child in ast.iter_child_nodes(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and encrypts(node.value):
            for target in node.targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                # One value for each part, or one call that returns them all.
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] * len(parts)
                pairs = zip(parts, values, strict=True)
                found |= {ast.unparse(part).rpartition(".")[2] for part, value in pairs if encrypts(value)}
        elif isinstance(node, ast.keyword) and node.arg and encrypts(node.value):
            found.add(node.arg)
        elif isinstance(node, ast.Dict):
            found |= {
                key.value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and not isinstance(value, ast.Dict) and encrypts(value)
            }
    return found


def test_every_column_that_is_given_something_encrypted_is_found() -> None:
    known = {name for _, name in columns()}
    using = trees(with_word="encrypt")
    given = {name for path, tree in using.items() if path != "console/core/crypto.py" for name in names_given(tree)}
    assert "secret" in given and "credential" in given, "the search finds what is known to be there"
    assert given - {"base_url"} <= known
    said = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if "ncrypted" in str(field.help_text)
    }
    assert said <= {f"{model.__name__}.{name}" for model, name in columns()}, "they say so, and are"


def connect(slug: str, secret: str = "") -> Provider:
    return Provider.objects.create(slug=slug, name=slug, kind="openai", base_url="https://a.example/v1", secret=secret)


def test_all_of_them_get_the_newest_key(db: None, settings) -> None:
    old = installed.ENCRYPTION_KEYS
    first = connect("a", encrypt("s1"))
    connect("none")
    settings.ENCRYPTION_KEYS = ["a new key, long enough to be one", *old]
    second = connect("b", encrypt("s2"))
    assert not is_newest(first.secret) and is_newest(second.secret)
    person = make.make_user("ada@example.com")
    app = Authenticator.objects.create(user=person, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})  # of before
    settings.ENCRYPTION_KEYS = old
    codes = RecoveryCodes.activate(person)
    written = codes.generate_codes()
    assert codes.validate_code(written[0])
    settings.ENCRYPTION_KEYS = ["a new key, long enough to be one", *old]

    said = StringIO()
    call_command("reencryptsecrets", stdout=said)
    assert said.getvalue().startswith("3 encrypted anew, 1 had the newest key.")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    app.refresh_from_db()
    assert decrypt(app.data["secret"]) == "JBSWY3DPEHPK3PXP"
    assert RecoveryCodes.activate(person).get_unused_codes() == written[1:], "a code that was used stays so"
    assert [decrypt(p.secret) for p in Provider.objects.exclude(secret="").order_by("slug")] == ["s1", "s2"]
    line = AuditEvent.objects.get(action="secrets.reencrypted")
    assert '"changed": 3' in line.detail.replace('":1', '": 1') and "s1" not in line.detail

    settings.ENCRYPTION_KEYS = ["a third one, which reads nothing of it"]
    with pytest.raises(CommandError, match="(?s)reads these:\\ncatalog.Provider.*mfa.Authenticator"):
        call_command("reencryptsecrets")
