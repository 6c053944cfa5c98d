"""Extract the text of a Word document or spreadsheet; runs in a process of its own, see reader.py."""

import csv
import warnings
import zipfile
from io import BytesIO, StringIO
from typing import Any

_MOST_UNPACKED = 64 * 1024**2


def read(raw: bytes, most_characters: int) -> dict[str, str]:
    """Return {"html"}, {"text"} or {"problem"}: characters, broken."""
    warnings.simplefilter("ignore")
    try:
        with zipfile.ZipFile(BytesIO(raw)) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist() if part.filename.endswith(".xml")}
        if sum(sizes.values()) > _MOST_UNPACKED:
            return {"problem": "characters"}
        found = {"text": _sheets(raw, most_characters)} if "xl/workbook.xml" in sizes else {"html": _document(raw)}
    except Exception:  # whatever a broken or malicious file makes of a parser
        return {"problem": "broken"}
    # Tags stand beside the words of a document.
    if len(found.get("text", "")) > most_characters or len(found.get("html", "")) > 4 * most_characters:
        return {"problem": "characters"}
    return found


def _document(raw: bytes) -> str:
    import mammoth

    def without_pictures(_image: Any) -> list[Any]:
        return []

    return str(mammoth.convert_to_html(BytesIO(raw), convert_image=without_pictures).value)


def _sheets(raw: bytes, most_characters: int) -> str:
    import openpyxl

    book = openpyxl.load_workbook(BytesIO(raw), read_only=True, data_only=True)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for sheet in book.worksheets:
        out.write(f"# {sheet.title}\n\n")
        # What a sheet says of its size is not believed: every missing row would be filled to its last column.
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True):
            if not row:
                continue
            cells = ["" if cell is None else str(cell) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                writer.writerow(cells)
            if out.tell() > most_characters:
                return out.getvalue()
        out.write("\n")
    return out.getvalue().strip()
