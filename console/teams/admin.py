"""Django's admin for operators: it shows tables, and is no second way to change them.

Changes go through services, which keep the invariants and write the log; so the admin of every app starts read-only.
Where a table has no other face, `is_editable` opens its change form, and each save is recorded.
"""

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.admin import sites
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from console.audit import actions
from console.audit.services import changes, record
from console.teams.callers import Caller
from console.teams.models import ApiKey, Invitation, Membership, Team, User

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[models.Model]
else:
    _Base = admin.ModelAdmin


# What the filters beside a list put into its address behind a field's name.
_OFFERED = frozenset({"exact", "isnull", "id__exact"})
# Parts of Django's admin that nothing here uses, and that stumble over addresses nobody would write.
_UNUSED = frozenset({"view_on_site", "autocomplete"})


def _is_operator(request: HttpRequest) -> bool:
    caller: Caller | None = getattr(request, "caller", None)
    return caller is not None and caller.is_operator


class ReadOnlyAdmin(_Base):
    """Shows rows to operators. With `is_editable` fields can be changed, on the record; nothing is added or deleted."""

    is_editable = False
    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return _is_operator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.is_editable and _is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Let lists be narrowed by what their filters offer alone.

        Django lets the address ask about every column, shown or not, a letter at a time: hashes of passwords and
        digests of tokens, too. And a regular expression would be the database's to work on.
        """
        name, _, how = lookup.partition("__")
        return name in self.list_filter and how in _OFFERED

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> models.Model | None:
        return super().get_object(request, object_id, from_field or None)

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        before = {name: form.initial.get(name) for name in form.changed_data}
        super().save_model(request, obj, form, change)
        after = {name: form.cleaned_data.get(name) for name in form.changed_data}
        record(
            actions.ADMIN_EDITED,
            actor=request.caller.actor,  # type: ignore[attr-defined]
            target=obj,
            detail=changes(before, after),
            surface="admin",
        )

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """The audit log has the line; Django's own log would be a second truth."""


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "is_superuser", "last_login", "created_at")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    fields = ("id", "email", "name", "is_active", "is_superuser", "last_login", "created_at")
    ordering = ("-created_at",)


@admin.register(Team)
class TeamAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "requires_two_factor", "is_demo", "created_at", "archived_at")
    search_fields = ("name", "slug")
    fields = ("id", "name", "slug", "colour", "requires_two_factor", "is_demo", "created_at", "archived_at")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "team", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "team")
    search_fields = ("user__email", "team__name")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "shown", "team", "environment", "owner", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("environment",)
    list_select_related = ("team", "owner")
    search_fields = ("name", "last4")
    exclude = ("digest",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("email", "team", "role", "invited_by", "expires_at", "accepted_at", "revoked_at")
    list_select_related = ("team", "invited_by")
    search_fields = ("email",)
    exclude = ("token_digest",)


def _change_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Send people to the console's own page, which the log hears of and which ends their other sessions."""
    return redirect("account_change_password")


def close_side_doors() -> None:
    """Send the admin's sign-in and passwords through allauth, and hide what other packages registered for editing.

    Called with the URLconf, when every app has registered its own. allauth and Django offer forms for tokens, sessions
    and groups that would write past the services.
    """
    site = sites.site
    site.login = secure_admin_login(site.login)  # type: ignore[method-assign]
    site.password_change = _change_password  # type: ignore[method-assign,assignment]
    addresses = site.get_urls
    site.get_urls = lambda: [one for one in addresses() if getattr(one, "name", "") not in _UNUSED]  # type: ignore[method-assign]
    ours = ("console.", "prompts_app.", "usage_app.", "agents_app.")
    for model, options in list(site._registry.items()):
        if not type(options).__module__.startswith(ours):
            site.unregister(model)
