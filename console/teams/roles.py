"""What each role may do in its team. Stored as guardian object permissions on the Team, written by services only."""

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

# What a key may do, and the right its creator must have (and keep) for it.
SCOPES: dict[str, str] = {
    "models:call": "use_models",
    "usage:read": "view_usage",
    "audit:read": "view_audit",
    "audit:content": "read_content",
    "keys:manage": "manage_keys",
    "quotas:manage": "manage_quotas",
    "members:manage": "manage_members",
    "team:manage": "manage_team",
}
DEFAULT_SCOPES = ("models:call", "usage:read")
# Making a key with one of these asks the person to sign in again.
ADMINISTRATIVE_SCOPES = frozenset({"keys:manage", "quotas:manage", "members:manage", "team:manage", "audit:content"})
