"""How the pages of the demo look. Leaves what they say to the apps."""

from flask import render_template_string
from markupsafe import Markup

LAYOUT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{{ title }}</title>{{ head }}<style>
:root { color-scheme: light dark; --line: light-dark(#d8dce2, #3a404a); --soft: light-dark(#f4f6f8, #1d2127);
  --back: light-dark(#fff, #14171b); --text: light-dark(#1b1f24, #e6e9ee); --quiet: light-dark(#59636e, #9aa4b0);
  --accent: light-dark(#1f5fbf, #7fb0ff); }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 820px; margin: 0 auto; padding: 32px 16px 64px }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px } h2 { font-size: 20px; margin: 0 0 8px }
p { margin: 0 0 12px } .quiet { color: var(--quiet) }
section { border: 1px solid var(--line); border-radius: 10px; padding: 16px 24px; margin: 24px 0 }
a { color: var(--accent) }
a.button, button { display: inline-block; font: inherit; padding: 8px 16px; border-radius: 10px;
  border: 1px solid var(--accent); background: none; color: var(--accent); text-decoration: none; cursor: pointer }
a.main, button.main { background: var(--accent); color: var(--back) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
form { display: inline-block; margin: 0 8px 8px 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0 0 12px }
dt { color: var(--quiet) } dd { margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 6px 12px 6px 0; border-top: 1px solid var(--line) }
th { color: var(--quiet); font-weight: normal }
code, pre, .value { font: 14px/1.5 ui-monospace, monospace; background: var(--soft);
  border-radius: 6px }
code, .value { padding: 2px 6px; user-select: all } pre { padding: 12px; white-space: pre-wrap; word-break: break-word }
.scroll { overflow-x: auto }
</style></head><body><main>{{ body }}</main></body></html>"""


def page(title: str, body: str, head: str = "", **values: object) -> str:
    """A page. `body` is a Jinja template; `values` are escaped in it."""
    inner = Markup(render_template_string(body, **values))
    return render_template_string(LAYOUT, title=title, body=inner, head=Markup(head))
