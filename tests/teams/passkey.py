"""A passkey in software: signs what it is asked to sign, with or without saying that it asked for a finger."""

import hashlib
import json
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from console.teams.models import User

HOST = "testserver"
_ORIGIN = f"https://{HOST}"
_HOST_HASH = hashlib.sha256(HOST.encode()).digest()
_FLAG = AuthenticatorData.FLAG


class Passkey:
    def __init__(self, user: User) -> None:
        """Make one and register it for the person, past the page that does it."""
        self.user, self.id = user, user.pk.bytes
        self._private = ec.generate_private_key(ec.SECP256R1())
        public = ES256.from_cryptography_key(self._private.public_key())
        made = AuthenticatorData.create(
            _HOST_HASH, _FLAG.UP | _FLAG.AT, 0, AttestedCredentialData.create(Aaguid.NONE, self.id, public)
        )
        said = CollectedClientData.create(CollectedClientData.TYPE.CREATE, b"c" * 32, _ORIGIN)
        response = {"clientDataJSON": said.b64, "attestationObject": _text(AttestationObject.create("none", made, {}))}
        data = {"name": "Key", "credential": self._credential(response)}
        Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)

    def answer(self, challenge: str, *, is_verified: bool) -> dict[str, str]:
        """Return the form a browser sends after the key was touched."""
        flags = _FLAG.UP | _FLAG.UV if is_verified else _FLAG.UP
        made = AuthenticatorData.create(_HOST_HASH, flags, 1)
        said = CollectedClientData.create(CollectedClientData.TYPE.GET, websafe_decode(challenge), _ORIGIN)
        response = {
            "clientDataJSON": said.b64,
            "authenticatorData": _text(made),
            "signature": _text(self._private.sign(made + said.hash, ec.ECDSA(SHA256()))),
            "userHandle": _text(self.user.pk.hex.encode()),
        }
        return {"credential": json.dumps(self._credential(response))}

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        key = _text(self.id)
        return {"id": key, "rawId": key, "type": "public-key", "response": response, "clientExtensionResults": {}}


def _text(data: bytes) -> str:
    return str(websafe_encode(data))
