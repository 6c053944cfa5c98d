from django.urls import path

from console.notices import views

app_name = "notices"
urlpatterns = [
    # Whose channels: the installation's, or a team's
    path("settings/alerts/", views.alerts, name="alerts"),
    path("settings/alerts/new/", views.new_channel, name="new_channel"),
    path("teams/<slug:slug>/alerts/", views.team_alerts, name="team_alerts"),
    path("teams/<slug:slug>/alerts/new/", views.new_team_channel, name="new_team_channel"),
    # One channel
    path("alerts/<uuid:channel_id>/", views.channel, name="channel"),
    path("alerts/<uuid:channel_id>/test/", views.test_channel, name="test_channel"),
    path("alerts/<uuid:channel_id>/enable/", views.enable_channel, name="enable_channel"),
    path("alerts/<uuid:channel_id>/delete/", views.delete_channel, name="delete_channel"),
    path("alerts/deliveries/<uuid:delivery_id>/again/", views.try_again, name="try_again"),
]
