"""URLs of widgets and their visitors' conversations in the management API."""

from django.urls import path

from console.api.manage.widgets import visits, widgets

_VISIT = "widgets/<uuid:widget_id>/conversations/<uuid:pk>/"
urlpatterns = [
    path("widgets/", widgets.Widgets.as_view(), name="widgets"),
    path("widgets/<uuid:pk>/", widgets.OneWidget.as_view(), name="widget"),
    path("widgets/<uuid:pk>/switch/", widgets.Switch.as_view(), name="switch_widget"),
    path("widgets/<uuid:pk>/identity-secret/", widgets.IdentitySecret.as_view(), name="widget_secret"),
    path("widgets/<uuid:widget_id>/conversations/", visits.Visits.as_view(), name="visits"),
    path(_VISIT, visits.OneVisit.as_view(), name="visit"),
    path(f"{_VISIT}messages/", visits.VisitMessages.as_view(), name="visit_messages"),
    path(f"{_VISIT}take-over/", visits.TakeOver.as_view(), name="take_over"),
    path(f"{_VISIT}give-back/", visits.GiveBack.as_view(), name="give_back"),
]
