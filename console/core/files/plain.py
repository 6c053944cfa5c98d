"""Files that are plain text."""


def plain_text(raw: bytes) -> str | None:
    """Return a file's text: UTF-8, or UTF-16 that says so as spreadsheets write it. None when it is neither."""
    is_wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text
