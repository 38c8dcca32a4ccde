"""The few pieces of HTML a report is made of."""

from __future__ import annotations

from html import escape

import numpy as np

__all__ = ["definitions", "details", "figure", "number", "paragraph", "section", "table"]


def number(value, form="{:.4f}"):
    """A number as text, a dash where there is none."""
    return "–" if value is None or isinstance(value, float) and np.isnan(value) else form.format(value)


def paragraph(text):
    """Plain text."""
    return f"<p>{escape(text)}</p>"


def section(anchor, title, *parts):
    """A heading with what is below it."""
    body = "\n".join(parts)
    return f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{escape(title)}</h2>\n{body}\n</section>'


def table(caption, header, rows, marks=()):
    """A table whose first column names its rows; ``marks`` are (row, class) pairs."""
    marked = dict(marks)
    head = "".join(f'<th scope="col">{escape(str(cell))}</th>' for cell in header)
    lines = []
    for i, (first, *others) in enumerate(rows):
        cells = "".join(cell if cell.startswith("<td") else f"<td>{escape(cell)}</td>" for cell in map(str, others))
        attribute = f' class="{marked[i]}"' if i in marked else ""
        lines.append(f'<tr{attribute}><th scope="row">{escape(str(first))}</th>{cells}</tr>')
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )


def figure(svg, alt, caption):
    """A picture with a text for those who do not see it."""
    marked = svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt, quote=True)}"', 1)
    return f"<figure>\n{marked}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def details(summary, *parts):
    """What is folded away at first."""
    return f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(parts) + "\n</details>"


def definitions(pairs):
    """Names with what they stand for."""
    inner = "\n".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in pairs)
    return f"<dl>\n{inner}\n</dl>"
