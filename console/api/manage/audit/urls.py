"""URLs of the audit log in the management API."""

from django.urls import path

from console.api.manage.audit import chain, records

urlpatterns = [
    path("audit/events/", records.Events.as_view(), name="audit_events"),
    path("audit/events/<str:reference>/", records.OneEvent.as_view(), name="audit_event"),
    path("audit/events/<str:reference>/content/", records.Content.as_view(), name="audit_event_content"),
    path("audit/export/", records.Export.as_view(), name="audit_export"),
    path("audit/seals/", chain.Seals.as_view(), name="audit_seals"),
    path("audit/chain/", chain.Chain.as_view(), name="audit_chain"),
    path("audit/chain/checks/", chain.ChainChecks.as_view(), name="audit_chain_checks"),
    path("audit/chain/heads/", chain.KeptHeads.as_view(), name="audit_chain_heads"),
]
