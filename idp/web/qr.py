"""QR codes as SVG to stand inside a page. The only importer of segno."""

import io

from markupsafe import Markup


def qr_svg(content: str) -> Markup:
    """Black on white with its quiet zone, whatever the colours of the page: scanners need the contrast."""
    import segno  # here: only needed when somebody sets up a second step

    out = io.BytesIO()
    segno.make(content, error="m", micro=False).save(
        out,
        kind="svg",
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        nl=False,
        svgclass=None,
        lineclass=None,
    )
    return Markup(out.getvalue().decode())  # noqa: S704  (made of numbers only)
