"""Prompts: named texts with numbered states that never change, and labels that say which state is live."""

# The tables of git live beside their code; Django finds them by way of this module.
from prompts_app.git.models import GitCommit, GitRemote, GitSync
from prompts_app.models.labels import USUAL_LABELS, Label, LabelMove, LabelRule
from prompts_app.models.prompts import Draft, Kind, Prompt, PromptVersion, Visibility
from prompts_app.models.reviews import Review, ReviewComment, Waiver
from prompts_app.models.uses import PromptKeyUse, PromptUse, PromptUseState, VersionDay, VersionRating

__all__ = [
    "Draft",
    "GitCommit",
    "GitRemote",
    "GitSync",
    "Kind",
    "Label",
    "LabelMove",
    "LabelRule",
    "Prompt",
    "PromptKeyUse",
    "PromptUse",
    "PromptUseState",
    "PromptVersion",
    "Review",
    "ReviewComment",
    "USUAL_LABELS",
    "VersionDay",
    "VersionRating",
    "Visibility",
    "Waiver",
]
