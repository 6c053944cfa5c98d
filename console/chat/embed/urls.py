"""URLs of the widget for visitors, by the widget's public id."""

from django.urls import path

from console.chat.embed.views import conversation, frame, visitors

app_name = "embed"
urlpatterns = [
    path("<str:public_id>.js", frame.snippet, name="snippet"),
    path("<str:public_id>/", frame.frame, name="frame"),
    path("<str:public_id>/visitor/", visitors.visitor, name="visitor"),
    path("<str:public_id>/conversation/", conversation.conversation, name="conversation"),
    path("<str:public_id>/stream/", conversation.stream, name="stream"),
    path("<str:public_id>/messages/", conversation.say, name="say"),
    path("<str:public_id>/messages/<uuid:message_id>/again/", conversation.again, name="again"),
    path("<str:public_id>/messages/<uuid:message_id>/stop/", conversation.stop, name="stop"),
    path("<str:public_id>/messages/<uuid:message_id>/feedback/", conversation.feedback, name="feedback"),
    path("<str:public_id>/person/", conversation.person, name="person"),
]
