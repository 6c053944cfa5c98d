"""Characters that are invisible or reorder their neighbours; readers are shown their code point (U+202E)."""

import re
import unicodedata

# Controls, soft hyphens and fillers, zero widths, marks that turn the direction, tags, and selectors of variants but
# for the one behind a picture that says how it is drawn. A line end is no surprise, nor the return in front of one.
# Joiners hide nothing where writing needs them: between pictures that are one (a family, a flag), between letters of
# the Arabic script, as Persian spells, and behind the sign of Indic scripts that takes a vowel away. Arrows and boxes
# are no pictures that join; and behind a letter that joins none, such as alef, what keeps letters apart is not seen.
_PICTURE = "\u2194\u2195\u2620\u2640\u2642\u2695\u2696\u26a7\u26d3\u26f9\u2708\u2764\u27a1\u2b1b\U0001f000-\U0001faff"
_ARABIC = "\u0620-\u065f\u066e-\u06d3\u0750-\u077f"
_APART = (
    "\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2\u06d3"
    "\u0759-\u075b\u076b\u076c\u0771\u0773\u0774\u0778\u0779"
)
_VIRAMA = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_JOINERS = (
    f"(?<![{_PICTURE}\ufe0f{_VIRAMA}])\u200d|(?<=[{_PICTURE}\ufe0f])\u200d(?![{_PICTURE}])"
    f"|(?<![{_ARABIC}{_VIRAMA}])\u200c|(?<=[{_ARABIC}])\u200c(?![{_ARABIC}])|(?<=[{_APART}])\u200c"
)
PATTERN = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]|\r(?!\n)|(?<=[\ufe00-\ufe0f])[\ufe0e\ufe0f]|" + _JOINERS
)
HIDDEN = re.compile(PATTERN)


def number_of(character: str) -> str:
    return f"U+{ord(character):04X}"


def name_of(character: str) -> str:
    return unicodedata.name(character, "control character").lower()


def spelled(text: str) -> str:
    """Return a text for where no markup can stand (titles, e-mail, logs): each such character as [U+202E]."""
    return HIDDEN.sub(lambda found: f"[{number_of(found[0])}]", text)
