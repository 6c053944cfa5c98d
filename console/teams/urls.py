from django.contrib.auth.decorators import login_required
from django.urls import path

from console.teams.admin import close_side_doors
from console.teams.views import entry_links, keys, people, sessions, sign_on, teams

# The root URLconf reads the admin's addresses after these, so what it should not offer goes now.
close_side_doors()

app_name = "teams"
urlpatterns = [
    # Keys
    path("keys/", keys.keys, name="keys"),
    path("keys/new/", keys.create_key, name="create_key"),
    path("keys/<uuid:key_id>/", keys.key, name="key"),
    path("keys/<uuid:key_id>/change/", keys.change_key, name="change_key"),
    path("keys/<uuid:key_id>/rotate/", keys.rotate_key, name="rotate_key"),
    path("keys/<uuid:key_id>/revoke/", keys.revoke_key, name="revoke_key"),
    path("keys/<uuid:key_id>/hand-over/", keys.hand_over_key, name="hand_over_key"),
    # Teams
    path("teams/", teams.teams, name="teams"),
    path("teams/new/", teams.create_team, name="create_team"),
    path("teams/<slug:slug>/", teams.team, name="team"),
    path("teams/<slug:slug>/change/", teams.change_team, name="change_team"),
    path("teams/<slug:slug>/archive/", teams.archive_team, name="archive_team"),
    path("teams/<slug:slug>/invite/", teams.invite, name="invite"),
    path("teams/<slug:slug>/members/<uuid:membership_id>/role/", teams.change_role, name="change_role"),
    path("teams/<slug:slug>/members/<uuid:membership_id>/remove/", teams.remove_member, name="remove_member"),
    path(
        "teams/<slug:slug>/invitations/<uuid:invitation_id>/resend/", teams.resend_invitation, name="resend_invitation"
    ),
    path(
        "teams/<slug:slug>/invitations/<uuid:invitation_id>/revoke/", teams.revoke_invitation, name="revoke_invitation"
    ),
    # People of the installation
    path("people/", people.people, name="people"),
    path("people/new/", people.add_person, name="add_person"),
    path("people/<uuid:user_id>/sign-in-link/", people.make_link, name="make_link"),
    path("people/<uuid:user_id>/disable/", people.disable_person, name="disable_person"),
    path("people/<uuid:user_id>/enable/", people.enable_person, name="enable_person"),
    path("people/<uuid:user_id>/operator/", people.set_operator, name="set_operator"),
    # Coming in
    path("sign-in/secure/", entry_links.secure_account, name="secure_account"),
    path("sign-in/<str:token>/", entry_links.sign_in_link, name="sign_in_link"),
    path("invitations/<str:token>/", entry_links.accept_invitation, name="accept_invitation"),
]

# Included before allauth's own addresses, so these win. allauth lets whoever holds a session set a first password,
# which would turn a borrowed browser into an account; it ends all other sessions or none, and logs nothing; and it
# breaks where an identity provider does.
account_urlpatterns = [
    path("accounts/password/set/", login_required(entry_links.set_password), name="set_password"),
    path("accounts/sessions/", sessions.sessions, name="sessions"),
    path("accounts/sessions/<int:session_id>/end/", sessions.end_session, name="end_session"),
    path("accounts/oidc/<str:provider_id>/login/", sign_on.login, name="sign_on"),
    path("accounts/oidc/<str:provider_id>/login/callback/", sign_on.callback, name="sign_on_callback"),
]
urlpatterns += account_urlpatterns
