"""Parse and check what a person typed; the services keep the rules."""

from console.catalog.forms.aliases import AliasForm, NewAliasForm
from console.catalog.forms.base import VersionField
from console.catalog.forms.providers import ProviderForm, presets
from console.catalog.forms.versions import PriceForm, VersionForm, prices_typed

__all__ = [
    "AliasForm",
    "NewAliasForm",
    "PriceForm",
    "ProviderForm",
    "VersionField",
    "VersionForm",
    "presets",
    "prices_typed",
]
