"""Mail that is sent while somebody waits. The server may be away, and what was done before is done all the same."""

import logging
from collections.abc import Callable
from smtplib import SMTPException, SMTPRecipientsRefused

logger = logging.getLogger(__name__)


def send_now(send: Callable[[], object]) -> bool:
    """Send a mail, and return whether the mail server took it; the log says why not.

    One for an address that the server does not know counts as taken. Many servers only say so later, in a mail, and
    whoever asks may be a stranger who wants to know which addresses there are.
    """
    try:
        send()
    except SMTPRecipientsRefused as error:
        logger.warning("The mail server does not take mail to %s.", ", ".join(map(repr, error.recipients)))
    except (OSError, SMTPException) as error:
        logger.warning("A mail was not sent, because the mail server did not take it: %r", error)
        return False
    return True
