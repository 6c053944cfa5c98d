"""Word documents and spreadsheets: their words, read by a program of its own."""

import datetime as dt
import zipfile
from io import BytesIO

import openpyxl
import pytest

from console.core.files.isolated import CannotRead
from console.core.files.office import office_words

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE_OF_DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def docx_of(*paragraphs: tuple[str, str], body: str = "") -> bytes:
    """Return a Word document of paragraphs, each a style (or nothing) and its words."""
    written = body or "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>'
        for style, words in paragraphs
    )
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/></w:style>'
        for level in (1, 2)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/word/document.xml" ContentType="{_TYPE_OF_DOCUMENT}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_RELATION}" '
        f'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{written}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return out.getvalue()


def xlsx_of(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_word_document_keeps_its_headings_and_what_looks_like_markup() -> None:
    raw = docx_of(("Heading1", "Prices"), ("", "A costs 5 &lt; 6."), ("Heading2", "In June"), ("", "B costs 7."))
    assert office_words(raw, most_characters=1_000).split("\n\n") == [
        "# Prices",
        "A costs 5 < 6.",
        "## In June",
        "B costs 7.",
    ]


def test_each_sheet_is_a_heading_over_its_rows() -> None:
    raw = xlsx_of(
        Prices=[["Plan", "Price"], ["A, small", 5.5, None], [], ["=1+1", dt.date(2026, 6, 1)]], Notes=[["ok"]]
    )
    assert office_words(raw, most_characters=1_000) == (
        '# Prices\n\nPlan,Price\n"A, small",5.5\n,2026-06-01 00:00:00\n\n# Notes\n\nok'
    )


def test_cells_far_below_and_far_to_the_right_cost_nothing_for_what_lies_between() -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1"], book.active["A1048576"] = "first", "right", "below"
    out = BytesIO()
    book.save(out)
    words = office_words(out.getvalue(), most_characters=20_000)
    assert words == f"# Sheet\n\nfirst{',' * 16_383}right\nbelow"


def _bomb() -> bytes:
    """Return a document of a hundred kilobytes that is a hundred megabytes unpacked."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        with packed.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(f'<w:document xmlns:w="{_WORD}"><w:body>'.encode())
            for _ in range(100):
                part.write(b" " * 1024**2)
        with zipfile.ZipFile(BytesIO(docx_of())) as whole:
            for name in ("[Content_Types].xml", "_rels/.rels"):
                packed.writestr(name, whole.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\xd0\xcf\x11\xe0 an older file, or one with a password", "broken"),
        (b"PK\x03\x04 and then nothing", "broken"),
        (docx_of(body="<w:p><w:r><w:t>never closed"), "broken"),
        (_bomb(), "characters"),
        (docx_of(("", "")), "empty"),
        (docx_of(("", "x" * 5_000)), "characters"),
        (xlsx_of(Long=[["x" * 500]] * 20), "characters"),
    ],
)
def test_what_cannot_be_read_has_a_word_for_why(raw: bytes, problem: str) -> None:
    with pytest.raises(CannotRead) as refused:
        office_words(raw, most_characters=1_000)
    assert refused.value.problem == problem
