"""What a line of a Mermaid sequence diagram may be, as far as diagrams are made of it here.

Written from mermaid.js.org/syntax/sequenceDiagram, and tried against Mermaid's own parser.
"""

import re

_ENTITY = re.compile(r"#\d+;")
_LINE = re.compile(
    r"sequenceDiagram"
    r"|    acc(Title|Descr): [^#;\n]*"
    r"|    (actor|participant) p\d+ as \S[^#;\n]*"
    r"|    p\d+(->>|-->>|--x)p\d+: \S[^#;\n]*"
    r"|    Note (right of|over) p\d+(,p\d+)?: \S[^#;\n]*"
)


def is_mermaid(line: str) -> bool:
    """Tell whether a line is one that the grammar knows, and means nothing else."""
    return _LINE.fullmatch(_ENTITY.sub("?", line)) is not None
