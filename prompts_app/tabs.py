"""The tabs and head actions of a prompt's page. Rooms above add theirs at start.

A room that knows prompts appends to TABS or ACTIONS in its `AppConfig.ready`; nothing here names a page that may be
missing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from prompts_app.models import Prompt, PromptVersion


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab. `url` gets the prompt, and returns nothing for one that has no such tab.

    `count` is the number beside the label, None for no number.
    """

    name: str
    label: str
    url: Callable[[Prompt], str]
    count: Callable[[Prompt], int | None] = lambda prompt: None
    # Tabs stand in this order; Facet's own are 10 (text) to 50 (settings).
    order: int = 30


@dataclass(frozen=True, slots=True)
class Action:
    """One button in the head of a prompt's pages, for the version that is looked at. `right` is asked in its team.

    `url` returns nothing for a prompt it is not for. `draft_url` is where the editor leads with a draft; nothing
    where a draft is of no use there.
    """

    label: str
    icon: str
    url: Callable[[Prompt, PromptVersion], str]
    right: str = "use_models"
    # Buttons stand in this order.
    order: int = 30
    draft_url: Callable[[Prompt], str] = lambda prompt: ""


TABS: list[Tab] = []
ACTIONS: list[Action] = []


def add_tab(tab: Tab) -> None:
    if tab.name not in {one.name for one in TABS}:
        TABS.append(tab)
        TABS.sort(key=lambda one: one.order)


def add_action(action: Action) -> None:
    if action.label not in {one.label for one in ACTIONS}:
        ACTIONS.append(action)
        ACTIONS.sort(key=lambda one: one.order)
