"""Every recorded action by name, with the sentence the log shows.

`moves_epoch` says whether calls in flight of planning must notice: a change of keys, pins, quotas or people does,
a sign-in does not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    sentence: str
    moves_epoch: bool = True
    is_access: bool = False


_ALL: dict[str, Action] = {}


def _change(name: str, sentence: str) -> Action:
    return _ALL.setdefault(name, Action(name, sentence))


def _access(name: str, sentence: str) -> Action:
    return _ALL.setdefault(name, Action(name, sentence, moves_epoch=False, is_access=True))


def _quiet(name: str, sentence: str) -> Action:
    """A change that no plan depends on."""
    return _ALL.setdefault(name, Action(name, sentence, moves_epoch=False))


def action(name: str) -> Action | None:
    return _ALL.get(name)


def every() -> list[Action]:
    return sorted(_ALL.values(), key=lambda a: a.name)


# People and teams
TEAM_CREATED = _change("team.created", "created the team")
TEAM_CHANGED = _change("team.changed", "changed the team")
TEAM_ARCHIVED = _change("team.archived", "archived the team")
MEMBER_ADDED = _change("member.added", "added a member")
MEMBER_CHANGED = _change("member.changed", "changed a member's role")
MEMBER_REMOVED = _change("member.removed", "removed a member")
INVITATION_SENT = _quiet("invitation.sent", "invited somebody")
INVITATION_REVOKED = _quiet("invitation.revoked", "revoked an invitation")
INVITATION_RESENT = _quiet("invitation.resent", "sent an invitation again")
INVITATION_ACCEPTED = _change("invitation.accepted", "accepted an invitation")
USER_CREATED = _change("user.created", "created a person")
USER_CHANGED = _change("user.changed", "changed a person")
USER_DISABLED = _change("user.disabled", "disabled a person")
USER_ENABLED = _change("user.enabled", "enabled a person")
SIGNED_IN = _access("session.started", "signed in")
SIGNED_OUT = _access("session.ended", "signed out")
SESSIONS_CLOSED = _access("session.closed", "ended sessions elsewhere")
SIGN_IN_FAILED = _access("session.refused", "was refused at sign-in")
PASSWORD_CHANGED = _access("password.changed", "changed the password")
TWO_FACTOR_CHANGED = _access("two_factor.changed", "changed two-factor sign-in")
SIGN_IN_LINK_MADE = _access("sign_in_link.made", "created a one-time sign-in link")

REQUEST_REFUSED = _access("request.refused", "was refused a request")

# Keys
KEY_CREATED = _change("key.created", "created the API key")
KEY_CHANGED = _change("key.changed", "changed the API key")
KEY_ROTATED = _change("key.rotated", "rotated the API key")
KEY_REVOKED = _change("key.revoked", "revoked the API key")
KEY_REFUSED = _access("key.refused", "was refused with an API key")

# Models
PROVIDER_CREATED = _change("provider.created", "connected the provider")
PROVIDER_CHANGED = _change("provider.changed", "changed the provider")
PROVIDER_DELETED = _change("provider.deleted", "removed the provider")
PROVIDER_TESTED = _access("provider.tested", "tested the provider's connection")
MODEL_CREATED = _change("model.created", "added the model version")
MODEL_CHANGED = _change("model.changed", "changed the model version")
MODEL_RETIRED = _change("model.retired", "retired the model version")
PRICE_SET = _change("price.set", "set a price")
ALIAS_CREATED = _change("alias.created", "created the alias")
ALIAS_CHANGED = _change("alias.changed", "changed the alias")
ALIAS_DELETED = _change("alias.deleted", "deleted the alias")
PIN_MOVED = _change("pin.moved", "moved the pin")
PIN_ROLLED_BACK = _change("pin.rolled_back", "rolled the pin back")
PIN_CHANGED = _change("pin.changed", "changed the settings of the pin")
CANARY_SET = _change("canary.set", "set the canary")
CANARY_PROMOTED = _change("canary.promoted", "promoted the canary")
CANARY_ENDED = _change("canary.ended", "ended the canary")
PIN_PROPOSED = _quiet("pin.proposed", "proposed a change of the pin")
PROPOSAL_REJECTED = _quiet("proposal.rejected", "rejected a proposed change")
PROPOSAL_WITHDRAWN = _quiet("proposal.withdrawn", "withdrew a proposed change")
CHANNEL_CREATED = _quiet("channel.created", "set up the alert channel")
CHANNEL_CHANGED = _quiet("channel.changed", "changed the alert channel")
CHANNEL_DELETED = _quiet("channel.deleted", "deleted the alert channel")
CHANNEL_TESTED = _access("channel.tested", "sent a test by the alert channel")
CHANNEL_RETRIED = _access("channel.retried", "retried a delivery of the alert channel")
SHUTDOWN_ANNOUNCED = _access("shutdown.announced", "warned of a model's shutdown")

# Prompts
ANSWER_RATED = _quiet("answer.rated", "rated the answer of")
PROMPT_CREATED = _change("prompt.created", "created the prompt")
PROMPT_CHANGED = _change("prompt.changed", "changed the prompt's settings")
PROMPT_DELETED = _change("prompt.deleted", "deleted the prompt")
PROMPT_SAVED = _quiet("prompt.saved", "saved a version of the prompt")
PROMPT_PUBLISHED = _change("prompt.published", "published a version of the prompt")
PROMPT_ROLLED_BACK = _change("prompt.rolled_back", "rolled the prompt back")
GIT_CONNECTED = _quiet("git.connected", "connected the repository of prompts")
GIT_CHANGED = _quiet("git.changed", "changed the repository of prompts")
GIT_DISCONNECTED = _quiet("git.disconnected", "disconnected the repository of prompts")
GIT_TESTED = _access("git.tested", "tested the repository of prompts")
GIT_WANTED = _access("git.wanted", "requested a sync with the repository of prompts")
GIT_SYNCED = _access("git.synced", "synced prompts with a repository")
PROMPT_LABEL_REMOVED = _change("prompt.label_removed", "removed a label from the prompt")
LABEL_RULE_SET = _quiet("label_rule.set", "set the rule of a label of the team's prompts")
REVIEW_REQUESTED = _quiet("review.requested", "requested a review of the prompt")
REVIEW_COMMENTED = _quiet("review.commented", "commented on a review of the prompt")
REVIEW_APPROVED = _quiet("review.approved", "approved a version of the prompt")
REVIEW_TAKEN_BACK = _quiet("review.approval_taken_back", "withdrew the approval of a version of the prompt")
REVIEW_CHANGES_ASKED = _quiet("review.changes_asked", "requested changes to the prompt")
REVIEW_WITHDRAWN = _quiet("review.withdrawn", "withdrew a review of the prompt")
TEST_CASE_CREATED = _quiet("test_case.created", "added a test to the prompt")
TEST_CASE_CHANGED = _quiet("test_case.changed", "changed a test of the prompt")
TEST_CASE_DELETED = _quiet("test_case.deleted", "removed a test of the prompt")
TEST_RUN_STARTED = _quiet("test_run.started", "started a run of the prompt's tests")
TEST_RUN_STOPPED = _quiet("test_run.stopped", "stopped a run of the prompt's tests")
TEST_SCHEDULE_CREATED = _quiet("test_schedule.created", "scheduled the prompt's tests")
TEST_SCHEDULE_CHANGED = _quiet("test_schedule.changed", "changed a schedule of the prompt's tests")
TEST_SCHEDULE_PAUSED = _quiet("test_schedule.paused", "paused a schedule of the prompt's tests")
TEST_SCHEDULE_RESUMED = _quiet("test_schedule.resumed", "resumed a schedule of the prompt's tests")
TEST_SCHEDULE_DELETED = _quiet("test_schedule.deleted", "removed a schedule of the prompt's tests")
TEST_BASELINE_TAKEN = _quiet("test_baseline.taken", "set a new baseline for the prompt's tests")
DRIFT_FOUND = _quiet("drift.found", "found that the prompt's tests drifted")
DRIFT_ENDED = _quiet("drift.ended", "closed an incident of the prompt's tests")
DATASET_CREATED = _quiet("dataset.created", "created the dataset")
DATASET_DELETED = _quiet("dataset.deleted", "removed the dataset")
REPLAY_STARTED = _quiet("replay.started", "started a replay of the dataset")
REPLAY_RETRIED = _quiet("replay.retried", "retried the failures of a replay of the dataset")
REPLAY_STOPPED = _quiet("replay.stopped", "stopped a replay of the dataset")
REPLAY_DELETED = _quiet("replay.deleted", "removed a replay of the dataset")
WAIVER_GIVEN = _quiet("waiver.given", "let the prompt leave out a required partial")
WAIVER_ENDED = _quiet("waiver.ended", "ended the prompt's waiver")

# Files, responses and batches
FILE_UPLOADED = _quiet("file.uploaded", "uploaded the file")
FILE_DELETED = _quiet("file.deleted", "deleted the file")
FILE_READ = _access("file.read", "read the file")
CONVERSATION_EXPORTED = _access("conversation.exported", "exported the conversation")
RESPONSE_READ = _access("response.read", "read the response")
RESPONSE_DELETED = _quiet("response.deleted", "deleted the response")
RESPONSE_CANCELLED = _quiet("response.cancelled", "cancelled the response")
BATCH_CREATED = _quiet("batch.created", "created the batch")
BATCH_CANCELLED = _quiet("batch.cancelled", "cancelled the batch")
BATCH_DELETED = _quiet("batch.deleted", "deleted the batch")
BATCH_ENDED = _quiet("batch.ended", "ended the batch")

# Secrets
SECRETS_REENCRYPTED = _quiet("secrets.reencrypted", "encrypted stored secrets with the newest key")

# Agents
AGENT_CREATED = _quiet("agent.created", "created the agent")
AGENT_CHANGED = _change("agent.changed", "changed the agent's settings")
AGENT_SAVED = _quiet("agent.saved", "saved the draft of the agent")
AGENT_PUBLISHED = _change("agent.published", "published a version of the agent")
AGENT_ROLLED_BACK = _change("agent.rolled_back", "rolled the agent back")
AGENT_ARCHIVED = _change("agent.archived", "archived the agent")
AGENT_DELETED = _quiet("agent.deleted", "deleted the agent, which was never published")
RUN_STARTED = _quiet("run.started", "started the run")
RUN_CANCELLED = _quiet("run.cancelled", "cancelled the run")
RUN_ENDED = _quiet("run.ended", "ended the run")
TRIGGER_CREATED = _quiet("trigger.created", "created a trigger of the agent")
TRIGGER_CHANGED = _quiet("trigger.changed", "changed the trigger")
TRIGGER_SECRET_RENEWED = _quiet("trigger.secret_renewed", "renewed the secret of the webhook")
TRIGGER_TOKEN_CREATED = _quiet("trigger.token_created", "created a bearer token of the webhook")
TRIGGER_TOKEN_REVOKED = _quiet("trigger.token_revoked", "revoked a bearer token of the webhook")
TRIGGER_DELETED = _quiet("trigger.deleted", "removed the trigger")
MESSAGE_RETRIED = _quiet("trigger.message_retried", "retried a parked message")
MESSAGE_DROPPED = _quiet("trigger.message_dropped", "dropped a parked message")
APPROVAL_ASKED = _quiet("approval.asked", "requested an approval")
APPROVAL_DECIDED = _quiet("approval.decided", "decided the approval")
APPROVAL_EXTENDED = _quiet("approval.extended", "extended the approval")
APPROVAL_ESCALATED = _quiet("approval.escalated", "escalated the approval")
APPROVAL_EXPIRED = _quiet("approval.expired", "let the approval expire")

# Tools and queues
TOOL_CREATED = _quiet("tool.created", "created the tool")
TOOL_CHANGED = _quiet("tool.changed", "changed the tool")
TOOL_DELETED = _quiet("tool.deleted", "removed the tool")
TOOL_REVIEWED = _quiet("tool.reviewed", "reviewed what changed about the tool")
TOOL_SUSPENDED = _quiet("tool.suspended", "suspended the tool, which changed since its review")
TOOL_TRIED = _access("tool.tried", "tried the tool")
TOOL_SERVER_CREATED = _quiet("tool_server.created", "connected the tool server")
TOOL_SERVER_CHANGED = _quiet("tool_server.changed", "changed the tool server")
TOOL_SERVER_DELETED = _quiet("tool_server.deleted", "removed the tool server")
TOOL_SERVER_LOOKED_AT = _access("tool_server.looked_at", "refreshed the tools of the tool server")
QUEUE_CREATED = _quiet("queue.created", "created the queue")
QUEUE_CHANGED = _quiet("queue.changed", "changed the queue")
QUEUE_SECRET_RENEWED = _quiet("queue.secret_renewed", "renewed the signing secret of the queue")
QUEUE_ARCHIVED = _quiet("queue.archived", "archived the queue")
ITEM_PARKED = _quiet("queue_item.parked", "parked the item")
ITEM_REQUEUED = _quiet("queue_item.requeued", "requeued the item")
BROKER_CREATED = _quiet("broker.created", "connected the broker")
BROKER_CHANGED = _quiet("broker.changed", "changed the broker")
BROKER_DELETED = _quiet("broker.deleted", "removed the broker")
BROKER_LOOKED_AT = _access("broker.looked_at", "tested the broker")

# Knowledge
COLLECTION_CREATED = _quiet("collection.created", "created the collection of documents")
COLLECTION_CHANGED = _quiet("collection.changed", "changed the collection of documents")
COLLECTION_DELETED = _quiet("collection.deleted", "deleted the collection of documents")
COLLECTION_EMBEDDED_AGAIN = _quiet("collection.embedded_again", "rebuilt the collection's vectors")
COLLECTION_RETRIED = _quiet("collection.retried", "retried the collection's missing vectors")
DOCUMENT_CREATED = _quiet("document.created", "added the document")
DOCUMENT_CHANGED = _quiet("document.changed", "renamed the document")
DOCUMENT_SAVED = _quiet("document.saved", "saved a version of the document")
DOCUMENT_ROLLED_BACK = _quiet("document.rolled_back", "made another version of the document current")
DOCUMENT_DELETED = _quiet("document.deleted", "deleted the document")

# Conversations
CONVERSATION_SHARED = _quiet("conversation.shared", "shared the conversation with the team")
CONVERSATION_UNSHARED = _quiet("conversation.unshared", "ended the sharing of the conversation")
CONVERSATION_DELETED = _quiet("conversation.deleted", "deleted the conversation")
CONVERSATION_TAKEN = _quiet("conversation.taken", "took the visitor's conversation over from the assistant")
CONVERSATION_GIVEN_BACK = _quiet("conversation.given_back", "gave the visitor's conversation back to the assistant")

# Widgets
WIDGET_CREATED = _change("widget.created", "created the widget")
WIDGET_CHANGED = _change("widget.changed", "changed the widget")
WIDGET_ENABLED = _change("widget.enabled", "switched the widget on")
WIDGET_DISABLED = _change("widget.disabled", "switched the widget off")
WIDGET_DELETED = _change("widget.deleted", "deleted the widget")
WIDGET_SECRET_MADE = _quiet("widget.secret_made", "created a secret for the widget's visitor identities")
WIDGET_SECRET_FORGOTTEN = _quiet("widget.secret_forgotten", "deleted the secret for the widget's visitor identities")

# Touchpoints
EXPECTATION_SET = _quiet("expectation.set", "set the expectations for")
EXPECTATION_CLEARED = _quiet("expectation.cleared", "removed the expectations for")
LEGACY_CREATED = _quiet("legacy.created", "listed a touchpoint that is not on Facet")
LEGACY_CHANGED = _quiet("legacy.changed", "changed a touchpoint that is not on Facet")
LEGACY_REMOVED = _quiet("legacy.removed", "removed a touchpoint from the list")
TOUCHPOINTS_EXPORTED = _access("touchpoints.exported", "exported the list of touchpoints")

# Quotas
QUOTA_CREATED = _change("quota.created", "set the quota")
QUOTA_CHANGED = _change("quota.changed", "changed the quota")
QUOTA_DELETED = _change("quota.deleted", "removed the quota")
QUOTA_INCREASED = _change("quota.increased", "raised the quota temporarily")
QUOTA_INCREASE_ENDED = _change("quota.increase_ended", "ended a temporary increase")
QUOTA_ALERTED = _access("quota.alerted", "passed an alert threshold")
ALERT_RULE_CREATED = _quiet("alert_rule.created", "set the alert rule")
ALERT_RULE_CHANGED = _quiet("alert_rule.changed", "changed the alert rule")
ALERT_RULE_DELETED = _quiet("alert_rule.deleted", "removed the alert rule")
ALERT_STARTED = _access("alert.started", "started the alert")
ALERT_ENDED = _access("alert.ended", "ended the alert")
COSTS_EXPORTED = _access("costs.exported", "exported costs")

# The log itself, and the installation
CALL_REPLAYED = _access("call.replayed", "received the same answer again for an Idempotency-Key")
CONTENT_READ = _access("content.read", "read the content of a record")
CONTENT_SAMPLED = _access("content.sampled", "copied the content of records into a dataset")
DATASET_READ = _access("dataset.read", "read the items of a dataset")
REPLAY_READ = _access("replay.read", "read an answer of a replay")
AUDIT_EXPORTED = _access("audit.exported", "exported the audit log")
AUDIT_SEARCHED = _access("audit.searched", "searched the content of the audit log")
RETENTION_APPLIED = _access("audit.retention_applied", "removed records past their retention")
CHAIN_CHECK_STARTED = _access("audit.check_started", "started to check the chain of the audit log")
CHAIN_CHECK_ENDED = _access("audit.check_ended", "checked the chain of the audit log")
CONFIGURATION_APPLIED = _access("configuration.applied", "applied a configuration file")
CONFIGURATION_EXPORTED = _access("configuration.exported", "exported the configuration")
DEMO_FILLED = _access("demo.filled", "filled the console with a demo")
ADMIN_EDITED = _change("admin.edited", "edited a row in the operators' admin")
