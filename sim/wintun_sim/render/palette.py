"""The colours of pictures, for light and for dark surroundings: readable with any kind of colour vision.

A state is always told in words too. Hues are those of Okabe and Ito (jfly.uni-koeln.de/color), made lighter or darker
until text on the page has a contrast of at least 4.5 to 1 and bars one of 3 to 1 (w3.org/TR/WCAG21, 1.4.3 and 1.4.11).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wintun_sim.lifecycle import State


class Colours(NamedTuple):
    """One colour for light surroundings, one for dark ones."""

    light: str
    dark: str


STATES: Final[dict[State, Colours]] = {
    State.HALTED: Colours("#767676", "#8b949e"),
    State.SHUTDOWN: Colours("#a0458a", "#d58bc0"),
    State.INITIALIZING: Colours("#3a87b7", "#79c0ec"),
    State.PAUSED: Colours("#b87a00", "#e0a63a"),
    State.RESTARTING: Colours("#4c9a6e", "#8fd6b0"),
    State.RUNNING: Colours("#007a55", "#2fbf90"),
    State.PAUSING: Colours("#c2570c", "#f0965a"),
}

NAMED: Final[dict[str, Colours]] = {
    "page": Colours("#ffffff", "#0d1117"),
    "stripe": Colours("#f4f6f8", "#151b23"),
    "ink": Colours("#1b2330", "#e6edf3"),
    "quiet": Colours("#57606a", "#9da7b3"),
    "life": Colours("#b4bcc6", "#4a5460"),
    "call": Colours("#0b5394", "#79b8ff"),
    "good": Colours("#00674a", "#4fd1a5"),
    "bad": Colours("#a8480a", "#f0a06a"),
    "broken": Colours("#b3133c", "#ff8fa3"),
    "client": Colours("#e3eef9", "#16304a"),
    "adapter": Colours("#fbf1d9", "#3d3110"),
    "host": Colours("#e9ecf0", "#262e38"),
}


def _variables(dark: bool) -> str:
    named = {**NAMED, **{state.value.lower(): colours for state, colours in STATES.items()}}
    return " ".join(f"--{name}: {colours.dark if dark else colours.light};" for name, colours in named.items())


def _wrapped(text: str, indent: str) -> str:
    """Return declarations in lines of at most 120 characters."""
    lines, line = [], indent
    for part in text.split("; "):
        part = part if part.endswith(";") else f"{part};"
        if len(line) + len(part) > 118:
            lines.append(line.rstrip())
            line = indent
        line += f"{part} "
    return "\n".join([*lines, line.rstrip()])


def _style() -> str:
    states = "\n".join(f"    .{state.value.lower()} {{ fill: var(--{state.value.lower()}); }}" for state in STATES)
    tones = "\n".join(
        f"    .line.{tone} {{ stroke: var(--{tone}); }}\n"
        f"    .head.{tone}, circle.{tone}, .words.{tone} {{ fill: var(--{tone}); }}"
        for tone in ("call", "good", "bad", "broken")
    )
    return f"""\
  <style>
    svg {{
{_wrapped(_variables(dark=False), "      ")}
      font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
    }}
    @media (prefers-color-scheme: dark) {{
      svg {{
{_wrapped(_variables(dark=True), "        ")}
      }}
    }}
    .page {{ fill: var(--page); }}
    .stripe {{ fill: var(--stripe); }}
    .title {{ font: 600 17px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }}
    .quiet, .words.step, .words.fold {{ fill: var(--quiet); font-size: 12px; }}
    .words.fold {{ font-style: italic; }}
    .lane {{ font: 600 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); text-anchor: middle; }}
    .label {{ font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); text-anchor: middle;
      stroke: var(--page); stroke-width: 5px; paint-order: stroke; }}
    .dots {{ fill: var(--quiet); text-anchor: middle; font-size: 18px; }}
    .client {{ fill: var(--client); stroke: var(--life); }}
    .adapter {{ fill: var(--adapter); stroke: var(--life); }}
    .host {{ fill: var(--host); stroke: var(--life); }}
    .life {{ stroke: var(--life); stroke-width: 1.5; fill: none; }}
    .line {{ stroke-width: 1.8; fill: none; }}
    .line.good, .line.bad {{ stroke-dasharray: 6 3; }}
    circle.step {{ fill: var(--quiet); stroke: var(--page); }}
{tones}
{states}
  </style>"""


STYLE: Final = _style()
"""The style sheet of every picture."""
