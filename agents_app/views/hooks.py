"""The endpoint of webhooks: signed, or with a bearer token if the trigger allows it."""

import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents_app.errors import BadToken
from agents_app.models import Firing, Trigger
from agents_app.queries.run_state import run_said
from agents_app.triggers import identity, payloads, tokens
from agents_app.triggers.firings import fire, fire_once, input_for
from console.core import signing, strict_json
from console.core.clock import now
from console.core.crypto import SecretUnreadable, decrypt
from console.core.errors import Refusal, Unavailable
from console.core.ids import request_id
from console.core.sql import get_or_raise
from console.teams.access import PUBLIC, needs

LARGEST = 256 * 1024


@csrf_exempt  # a program's request, whose cookies count for nothing: it is signed, or carries a token
@needs(PUBLIC)
@require_POST
def deliver(request: HttpRequest, trigger_id: uuid.UUID) -> HttpResponse:
    """Start the run of one delivery. The same starts none; a webhook there is not is a bad signature or token too."""
    try:
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            return _refused(request, 411, "length_required", "A delivery says in Content-Length how long it is.")
        if int(length[:12]) > LARGEST:
            return _refused(request, 413, "too_large", f"A delivery has at most {LARGEST:,} bytes.")
        return _deliver(request, trigger_id, request.body)
    except Refusal as refusal:
        answer = _refused(request, refusal.status, refusal.code, refusal.message)
        if refusal.retry_after is not None:
            answer["Retry-After"] = str(refusal.retry_after)
        return answer


def _deliver(request: HttpRequest, trigger_id: uuid.UUID, body: bytes) -> HttpResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    client_address, token = getattr(request, "client_address", ""), ""
    if "authorization" in headers and not signing.is_signed(headers):
        token = tokens.presented(headers["authorization"], client_address)
    wrong = BadToken if token else signing.BadSignature
    rows = Trigger.objects.select_related("agent__team", "agent__live", "owner")
    trigger = get_or_raise(rows.filter(pk=trigger_id, kind=Trigger.Kind.WEBHOOK, agent__archived_at=None), wrong)
    source = trigger.config.get("source", payloads.PLAIN)
    if tokens.takes_token(trigger) != bool(token):
        raise wrong
    if token:
        tokens.admit(trigger, token, client_address)
    if not (token or trigger.secret):  # it was to prove itself in the other way, and nobody made a secret yet
        raise wrong
    key = "" if token else signing.check(_secret(trigger), body, headers, source=source)
    if not trigger.is_enabled:
        return _refused(request, 409, "switched_off", "This webhook is switched off.")
    value, _ = strict_json.loads(body)
    values = input_for(trigger, source, value)
    more = {"body": value, "called_by": run_said(headers.get("x-facet-run", ""))}
    if key:
        firing, is_new = fire(trigger, key, values, **more)
    elif named := identity.id_of(headers):
        firing, is_new = fire_once(trigger, (named,), None, values, **more)
    else:
        moment = now()
        keys = identity.window_keys(identity.content_of(source, value, body), moment)
        firing, is_new = fire_once(trigger, keys, moment - identity.WINDOW, values, **more)
    if firing.state == Firing.State.PARKED:
        return _refused(request, 422, "not_started", firing.trouble)
    run = firing.run.public_id if firing.run else None
    return JsonResponse({"run": run, "is_new": is_new}, status=202 if is_new else 200)


def _secret(trigger: Trigger) -> str:
    try:
        return decrypt(trigger.secret)
    except SecretUnreadable:
        raise Unavailable(
            "Signatures cannot be checked: the secret of this webhook was encrypted with a key that is not among "
            "ENCRYPTION_KEYS. Give the webhook another secret, or bring the key back."
        ) from None


def _refused(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    request.refused_because = message  # type: ignore[attr-defined]
    identifier = getattr(request, "request_id", None)
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    more = {"request_id": request_id(identifier)} if identifier else {}
    return JsonResponse({"error": said | more}, status=status)
