"""Set up a new installation: an operator, a team, two keys, an alias that answers, and an assistant.

It may run any number of times, by several processes at once. What is there stays as it is; what people changed or
revoked since is not undone.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from agents_app.models import Agent
from agents_app.services.agents import create_agent
from agents_app.services.versions import publish_agent
from console.audit.models import Epoch
from console.catalog.models import Alias, ModelVersion, Pin
from console.catalog.services import builtin
from console.catalog.services.aliases import create_alias
from console.catalog.services.pins import move_pin
from console.core.errors import Conflict
from console.teams import keys as key_texts
from console.teams.callers import SYSTEM
from console.teams.models import ApiKey, Environment, Membership, Role, Team, User
from console.teams.services.keys import create_key
from console.teams.services.people import create_person
from console.teams.services.sign_in import make_sign_in_link
from console.teams.services.teams import add_member, create_team
from prompts_app.models import Prompt
from prompts_app.services.labels import publish
from prompts_app.services.prompts import create_prompt

TEAM_SLUG, TEAM_NAME = "default", "Default"
_COLOUR = 4  # the quiet one: the first three are for the teams that come
KEY_NAME = "Quick start"
ALIAS = "assistant"
EMBED_ALIAS = "embed"
PROMPT = "default/assistant"
INSTRUCTIONS = """You are the assistant of this team. Answer in the language of the question, briefly and plainly.
When you are not sure, say so, and say what would help."""
REASON = "Pinned by the quick start"
BUILT = "Built by the quick start"


@dataclass(frozen=True, slots=True)
class Quickstart:
    """What `manage.py quickstart --json` prints. A key is None once its text can no longer be shown."""

    url: str
    sign_in_url: str
    team: str
    keys: dict[str, str | None]
    alias: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@transaction.atomic
def quickstart(
    *,
    email: str,
    model_url: str = "",
    context_tokens: int = 8192,
    model_secret: str = "",
    embeddings_url: str = "",
    is_start: bool = False,
) -> Quickstart:
    """Make what is missing and return how to get in. Without its address a built-in model is what it was.

    At a start of the console (`is_start`) an address that nobody has any more, or somebody who is no operator now,
    makes no operator and is no reason to refuse, as long as there are others: then nobody gets a link.
    """
    Epoch.objects.select_for_update().get(pk=1)  # every change takes its turn here, so two quick starts do too
    operator = _operator(email, may_be_another=is_start)
    is_first = not Team.objects.filter(slug=TEAM_SLUG).exists()
    team = _team(operator)
    had = {version.provider.slug for version in map(_there, (builtin.CHAT, builtin.EMBEDDINGS)) if version}
    model = _builtin(builtin.CHAT, model_url, context_tokens, model_secret)
    is_new = is_first or (model is not None and builtin.CHAT.slug not in had)
    _alias(ALIAS, "For first calls, before you name your own.", model, is_new=is_new)
    if embeddings := _builtin(builtin.EMBEDDINGS, embeddings_url):
        is_new = is_first or builtin.EMBEDDINGS.slug not in had
        _alias(EMBED_ALIAS, "For first embeddings, before you name your own.", embeddings, is_new=is_new)
    _assistant(team)
    keys = _keys(team)
    return Quickstart(
        url=settings.BASE_URL,
        sign_in_url=_sign_in_url(operator),
        team=team.slug,
        keys=keys,
        alias=ALIAS,
    )


def _sign_in_url(operator: User | None) -> str:
    if operator is None:
        return ""
    _, token = make_sign_in_link(actor=SYSTEM, user=operator)
    return f"{settings.BASE_URL}/sign-in/{token}/"


def _operator(email: str, *, may_be_another: bool) -> User | None:
    """Return the operator with this address, made when nobody has it. Nobody becomes an operator by a quick start."""
    email = email.strip().lower()
    user = User.objects.filter(email__iexact=email).first()
    is_another = may_be_another and User.objects.filter(is_superuser=True, is_active=True).exists()
    if user is None and not is_another:
        return create_person(actor=SYSTEM, email=email, name="Operator", is_operator=True)
    if user is not None and user.is_operator:
        return user
    if not is_another:
        raise Conflict(f"{email} belongs to somebody who is not an operator; set QUICKSTART_EMAIL to another address.")
    return None


def _team(operator: User | None) -> Team:
    team = Team.objects.filter(slug=TEAM_SLUG).first()
    if team is None:
        team = create_team(actor=SYSTEM, name=TEAM_NAME, slug=TEAM_SLUG, colour=_COLOUR)
    if operator is not None and not Membership.objects.filter(team=team).exists():
        add_member(actor=SYSTEM, team=team, user=operator, role=Role.OWNER)
    return team


def _builtin(which: builtin.Builtin, url: str, context_tokens: int = 8192, secret: str = "") -> ModelVersion | None:
    if url:
        return builtin.ensure_builtin(
            actor=SYSTEM, base_url=url, context_tokens=context_tokens, secret=secret, builtin=which
        )
    return _there(which)


def _there(which: builtin.Builtin) -> ModelVersion | None:
    return ModelVersion.objects.filter(provider__slug=which.slug, name=which.name).select_related("provider").first()


def _alias(name: str, description: str, model: ModelVersion | None, *, is_new: bool) -> None:
    """Make the alias, and pin it where it has no pin. A pin somebody moved stays where it is.

    One that is gone, though the console or its model is not new, somebody deleted.
    """
    alias = Alias.objects.filter(name=name).first()
    if alias is None:
        if not is_new:
            return
        alias = create_alias(actor=SYSTEM, name=name, description=description)
    if model is None or model.retired_at is not None or not model.provider.is_enabled:
        return
    pinned = set(Pin.objects.filter(alias=alias).values_list("environment", flat=True))
    for environment in Environment.values:
        if environment not in pinned:
            move_pin(actor=SYSTEM, alias=alias, environment=environment, to=model, reason=REASON, seen_revision=0)


def _assistant(team: Team) -> None:
    """Give the team an agent on the alias, with a prompt of its own. Once; people continue from there."""
    has_one = Agent.objects.filter(team=team).exists() or Agent.objects.filter(slug=ALIAS).exists()
    is_pinned = Pin.objects.filter(alias__name=ALIAS, environment="production").exists()
    if has_one or not is_pinned or Prompt.objects.filter(slug=PROMPT).exists():
        return
    content = [{"role": "", "text": INSTRUCTIONS}]
    about = "What the assistant of the quick start is told."
    prompt = create_prompt(actor=SYSTEM, team=team, slug=PROMPT, description=about, content=content)
    assert prompt.head is not None
    for label in ("production", "staging"):
        publish(actor=SYSTEM, prompt=prompt, version=prompt.head, label=label, reason=BUILT, seen_revision=0)
    agent = create_agent(
        actor=SYSTEM,
        team=team,
        slug=ALIAS,
        name="Assistant",
        description="Answers questions, with the model behind the alias assistant.",
        prompt_slug=PROMPT,
        alias=ALIAS,
        opening_message="Hello! What can I do for you?",
        suggested_questions=["What can you help me with?", "Explain what a context window is"],
    )
    publish_agent(actor=SYSTEM, agent=agent, message=BUILT, seen_revision=agent.draft.revision)


def _keys(team: Team) -> dict[str, str | None]:
    """Return the two keys, made where the team has none of its environment. Their text is kept in local mode only."""
    kept = _kept_keys()
    found: dict[str, str | None] = {}
    for environment in Environment.values:
        rows, text = ApiKey.objects.filter(team=team, environment=environment), kept.get(environment)
        if text and rows.filter(digest=key_texts.digest(text), revoked_at=None).exists():
            found[environment] = text
        elif rows.exists():  # whatever it is called by now
            found[environment] = None
        else:
            _, found[environment] = create_key(actor=SYSTEM, team=team, name=KEY_NAME, environment=environment)
    if not settings.IS_PRODUCTION and found != kept:
        _keep({environment: text for environment, text in found.items() if text})
    return found


def _path() -> Path:
    return Path(settings.DATA_DIR) / "secrets" / "quickstart.json"


def _kept_keys() -> dict[str, str]:
    if settings.IS_PRODUCTION:
        return {}
    try:
        content = json.loads(_path().read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return {}
    return {k: v for k, v in content.items() if isinstance(v, str)} if isinstance(content, dict) else {}


def _keep(keys: dict[str, str]) -> None:
    """Write the keys where only this system user reads them. Before commit: a key not in the table is ignored."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        json.dump(keys, file)
    fresh.replace(path)
