"""Make a widget's colour readable on any background."""

import re

HEX = re.compile(r"#[0-9a-fA-F]{6}")
ENOUGH = 4.5  # WCAG AA for text


DEFAULT = "#0b6074"


def safe_colour(colour: str) -> str:
    """Return a colour as it stands in style sheets, ours where it is none."""
    return colour if HEX.fullmatch(colour) else DEFAULT


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#1f5a43`), 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def on(colour: str) -> str:
    """Return black or white, whichever is easier to read on a colour."""
    return max("#ffffff", "#111111", key=lambda text: contrast(colour, text))


def on_white(colour: str) -> str:
    """Return the colour, darkened as far as it takes to read it as text on white and on a tint of itself."""
    while contrast(colour, "#ffffff") < ENOUGH * 1.2:
        colour = "#" + "".join(f"{int(colour[at : at + 2], 16) * 9 // 10:02x}" for at in (1, 3, 5))
    return colour
