"""Send notices by mail: one message per address, all over one connection."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from smtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from ssl import SSLCertVerificationError, SSLError

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from console.notices.models import Notice
from console.notices.sending.outcome import ACCEPTED, BROKEN, Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice to one address. `identity` stays the same when it is tried again, so that a reader can see it twice."""

    notice: Notice
    address: str
    identity: str
    instead_of: str = ""


def _body(letter: Letter) -> str:
    parts = [letter.notice.text, letter.notice.url, settings.INSTALLATION_NAME]
    if letter.instead_of:
        parts.insert(0, letter.instead_of)
    return "\n\n".join(parts) + "\n"


def _message(letter: Letter) -> EmailMessage:
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "facet"
    return EmailMessage(
        subject=letter.notice.title,
        body=_body(letter),
        to=[letter.address],
        headers={"Message-ID": f"<{letter.identity}@{host}>", "Auto-Submitted": "auto-generated"},
    )


def send(letters: Sequence[Letter]) -> Iterator[Outcome]:
    """Send one after the other, and yield how each went. A server that is away is asked once, not once for each."""
    if not letters:
        return
    connection = get_connection()
    try:
        for place, letter in enumerate(letters):
            try:
                connection.open()  # again, where the letter before ended with it
            except (OSError, SMTPException) as error:
                yield from [_trouble(error)] * (len(letters) - place)
                return
            yield _send(connection, letter)
    finally:
        connection.close()


def _send(connection: BaseEmailBackend, letter: Letter) -> Outcome:
    try:
        message = _message(letter)
        message.connection = connection
        message.send()
    except (OSError, SMTPException) as error:
        connection.close()  # it may be broken, and the next letter must not be lost with it
        return _trouble(error)
    except ValueError as error:
        return _trouble(error)
    except Exception:
        log.exception("One mail could not be written; the others go on.")
        return BROKEN
    return ACCEPTED


def _trouble(error: Exception) -> Outcome:
    """Say what went wrong without the server's banner or address."""
    if isinstance(error, SSLError):
        is_unknown = isinstance(error, SSLCertVerificationError)
        return Outcome(
            "The mail server's TLS certificate is not valid." if is_unknown else "TLS with the mail server failed."
        )
    if isinstance(error, SMTPAuthenticationError):
        return Outcome(f"The mail server refused the user name or the password ({error.smtp_code}).")
    if isinstance(error, SMTPNotSupportedError):
        return Outcome("The mail server does not offer what is set up for it, TLS or signing in.")
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return Outcome("The mail server does not take mail to this address.", is_final=all(c >= 500 for c in codes))
    if isinstance(error, SMTPResponseException):
        return Outcome(f"The mail server answered {error.smtp_code}.")
    if isinstance(error, ValueError):
        return Outcome("The mail cannot be written to this address.", is_final=True)
    return Outcome("The mail server cannot be reached.")
