"""Owns reading HTML as tests need it: forms, links and the visible text.

Requests and cookies are left to support/http_browser.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

SILENT = {"script", "style", "template", "title", "svg"}  # noscript is read: this browser runs none


@dataclass(frozen=True)
class Button:
    name: str
    value: str
    text: str
    action: str = ""


@dataclass
class Form:
    """A form with what it would send as it stands: `values`; `names` holds every field, ticked or not."""

    action: str
    method: str
    id: str = ""
    values: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    buttons: list[Button] = field(default_factory=list)

    def button(self, wanted: str | None) -> Button | None:
        """The button with this text (or part of it), name or value; the first one for None."""
        if wanted is None:
            return self.buttons[0] if self.buttons else None
        exact = [b for b in self.buttons if wanted in (b.text, b.name, b.value)]
        near = [b for b in self.buttons if wanted.casefold() in b.text.casefold()]
        return next(iter(exact + near), None)


@dataclass
class Document:
    title: str = ""
    text: str = ""
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)


def parse(html: str) -> Document:
    """Read a page. `resources` are the addresses of its style sheets, scripts, icons and images."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.document.text = " ".join(" ".join(reader.words).split())
    reader.document.title = " ".join("".join(reader.title).split())
    return reader.document


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document()
        self.words: list[str] = []
        self.title: list[str] = []
        self.inside: list[str] = []
        self.open_form: Form | None = None
        self.pending: tuple[str, dict[str, str], list[str]] | None = (
            None  # a, button or textarea whose text is being read
        )
        self.select: tuple[Form, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag in SILENT:
            self.inside.append(tag)
        handler = getattr(self, f"_start_{tag}", None)
        if handler:
            handler(a)

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT and tag in self.inside:
            self.inside.remove(tag)
        if tag == "form":
            self.open_form = None
        elif tag == "select":
            self.select = None
        elif self.pending and self.pending[0] == tag:
            self._finish(*self.pending)
            self.pending = None

    def handle_data(self, data: str) -> None:
        if "title" in self.inside:
            self.title.append(data)
        if self.pending:
            self.pending[2].append(data)
        if not self.inside:
            self.words.append(data)

    def _start_form(self, a: dict[str, str]) -> None:
        self.open_form = Form(a.get("action", ""), a.get("method", "get").lower(), a.get("id", ""))
        self.document.forms.append(self.open_form)

    def _start_input(self, a: dict[str, str]) -> None:
        form, kind, name = self._form_of(a), a.get("type", "text").lower(), a.get("name", "")
        if form is None or "disabled" in a:
            return
        if kind in ("submit", "image"):
            form.buttons.append(Button(name, a.get("value", ""), a.get("value", ""), a.get("formaction", "")))
        elif name and kind not in ("button", "reset"):
            form.names.add(name)
            if kind not in ("checkbox", "radio"):
                form.values[name] = a.get("value", "")
            elif "checked" in a:
                form.values[name] = a.get("value", "on")

    def _start_select(self, a: dict[str, str]) -> None:
        form = self._form_of(a)
        if form is not None and a.get("name"):
            form.names.add(a["name"])
            self.select = (form, a["name"])

    def _start_option(self, a: dict[str, str]) -> None:
        if self.select is None:
            return
        form, name = self.select
        if "selected" in a or name not in form.values:
            form.values[name] = a.get("value", "")

    def _start_button(self, a: dict[str, str]) -> None:
        self.pending = ("button", a, [])

    def _start_textarea(self, a: dict[str, str]) -> None:
        self.pending = ("textarea", a, [])

    def _start_a(self, a: dict[str, str]) -> None:
        self.pending = ("a", a, [])

    def _start_link(self, a: dict[str, str]) -> None:
        if a.get("href") and set(a.get("rel", "").split()) & {"stylesheet", "icon", "preload", "apple-touch-icon"}:
            self.document.resources.append(a["href"])

    def _start_script(self, a: dict[str, str]) -> None:
        self._source(a)

    def _start_img(self, a: dict[str, str]) -> None:
        self._source(a)

    def _source(self, a: dict[str, str]) -> None:
        if a.get("src") and not a["src"].startswith("data:"):
            self.document.resources.append(a["src"])

    def _form_of(self, a: dict[str, str]) -> Form | None:
        if a.get("form"):
            return next((form for form in self.document.forms if form.id == a["form"]), None)
        return self.open_form

    def _finish(self, tag: str, a: dict[str, str], parts: list[str]) -> None:
        text = " ".join("".join(parts).split())
        if tag == "a":
            self.document.links.append((text, a.get("href", "")))
            return
        form = self._form_of(a)
        if form is None or "disabled" in a:
            return
        if tag == "textarea" and a.get("name"):
            form.names.add(a["name"])
            form.values[a["name"]] = "".join(parts)
        elif tag == "button" and a.get("type", "submit") == "submit":
            form.buttons.append(Button(a.get("name", ""), a.get("value", ""), text, a.get("formaction", "")))
