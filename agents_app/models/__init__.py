"""The tables of agents: what they are, what they may call, and what they did."""

from agents_app.models.agents import Agent, AgentDraft, AgentMove, AgentVersion, Audience, Definition
from agents_app.models.approvals import Approval
from agents_app.models.brokers import Broker, Outgoing, Reader
from agents_app.models.notes import RunNote
from agents_app.models.questions import RunQuestion
from agents_app.models.queues import Queue, QueueItem
from agents_app.models.runs import Run, Step
from agents_app.models.tools import Tool, ToolServer
from agents_app.models.triggers import Firing, Trigger, TriggerToken

__all__ = [
    "Agent",
    "AgentDraft",
    "AgentMove",
    "AgentVersion",
    "Approval",
    "Audience",
    "Broker",
    "Definition",
    "Firing",
    "Outgoing",
    "Queue",
    "QueueItem",
    "Reader",
    "Run",
    "RunNote",
    "RunQuestion",
    "Step",
    "Tool",
    "ToolServer",
    "Trigger",
    "TriggerToken",
]
