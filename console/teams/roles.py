"""The rights of each role, stored as guardian permissions on the team and written by services only."""

from collections.abc import Iterable

from console.teams.models import Role

ALL_RIGHTS = frozenset(
    {
        "view_team",
        "use_models",
        "view_usage",
        "view_audit",
        "read_content",
        "manage_keys",
        "manage_quotas",
        "manage_members",
        "manage_team",
        "build",
        "approve",
    }
)

RIGHTS: dict[str, frozenset[str]] = {
    Role.OWNER: ALL_RIGHTS,
    Role.BUILDER: frozenset(
        {"view_team", "use_models", "view_usage", "view_audit", "read_content", "manage_keys", "build"}
    ),
    Role.APPROVER: frozenset({"view_team", "use_models", "view_usage", "view_audit", "approve"}),
    Role.MEMBER: frozenset({"view_team", "use_models", "view_usage"}),
    Role.AUDITOR: frozenset({"view_team", "view_usage", "view_audit", "read_content"}),
}

# Who decides what waits: approvals of agents, reviews of prompts.
DECIDERS = tuple(role for role, rights in RIGHTS.items() if "approve" in rights)

# Lets a key name exact versions (`provider/name`), past what the team's aliases and their pins decide.
EXACT_MODELS = "models:exact"
INSTALLATION = "installation:manage"
# What a key may do, and the right its creator must have (and keep) for it.
SCOPES: dict[str, str] = {
    "models:call": "use_models",
    EXACT_MODELS: "use_models",
    "usage:read": "view_usage",
    "audit:read": "view_audit",
    "audit:content": "read_content",
    "prompts:write": "build",
    "prompts:review": "approve",
    "keys:manage": "manage_keys",
    "quotas:manage": "manage_quotas",
    "members:manage": "manage_members",
    "team:manage": "manage_team",
    INSTALLATION: "view_team",
}
DEFAULT_SCOPES = ("models:call", "usage:read")
# Only operators give these to a key: they reach past what operators decided for the team.
OPERATOR_SCOPES = frozenset({EXACT_MODELS, INSTALLATION})
# What a key that manages the installation still needs a scope of its own for: what was said, and decisions.
NOT_INCLUDED = frozenset({"read_content", "approve"})
# Making a key with one of these asks the person to sign in again.
ADMINISTRATIVE_SCOPES = frozenset(
    {"keys:manage", "quotas:manage", "members:manage", "team:manage", "audit:content", INSTALLATION}
)

# For people who choose a role or a scope.
ROLE_SENTENCES: dict[str, str] = {
    Role.OWNER: "Everything: members, keys, quotas, prompts, agents, approvals and the team itself.",
    Role.BUILDER: "Builds prompts, agents and knowledge, manages API keys, reads the audit log with its content.",
    Role.APPROVER: "Decides approvals and reviews, calls models, sees the audit log without its content.",
    Role.MEMBER: "Calls models and chats, sees usage and quotas.",
    Role.AUDITOR: "Reads usage and the audit log with its content. Changes nothing and calls no model.",
}
SCOPE_SENTENCES: dict[str, str] = {
    "models:call": "Call models and list them",
    EXACT_MODELS: "Call exact versions (provider/name) as well as aliases",
    "usage:read": "Read usage and quotas",
    "audit:read": "Read the audit log, without content",
    "audit:content": "Read inputs and outputs in the audit log",
    "prompts:write": "Write and publish prompts and documents, build agents",
    "prompts:review": "Review prompts and give waivers",
    "keys:manage": "Create, rotate and revoke API keys",
    "quotas:manage": "Set quotas inside the team",
    "members:manage": "Invite, change and remove members",
    "team:manage": "Change the team's name and rules",
    INSTALLATION: "Manage the whole installation over /api/ as an operator: providers, models, pins, every team",
}


def rights_of_key(scopes: Iterable[str], owner_rights: frozenset[str] | None) -> frozenset[str]:
    """Return what a key may do: its scopes, as far as its owner has the right now.

    `owner_rights` is None for a key the installation made, which answers to nobody, and empty for one whose owner is
    gone, disabled or no longer in the team. A key that may do anything may also see its team.
    """
    rights = frozenset(SCOPES[scope] for scope in scopes if scope in SCOPES)
    if owner_rights is not None:
        rights &= owner_rights
    return rights | {"view_team"} if rights else rights
