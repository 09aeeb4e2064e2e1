"""What a revision other than CURRENT is known to do wrong: rules that it breaks for want of a repair.

A rule is excused by the repair whose lack breaks it, and by nothing else; what is left of an adapter that ignored its
halt is excused only where the model says that one did.
"""

from __future__ import annotations

from wintun_sim.model import Adapter, ModelMachine
from wintun_sim.model.repairs import HaltRundown
from wintun_sim.model.revisions import missing_repairs
from wintun_sim.operations import RuleBroken


class Excuses:
    """Says which repair a revision would need to keep a rule."""

    def __init__(self, revision: str) -> None:
        """Take the repairs that ``revision`` lacks. Raises ``UsageError`` for a name that is none."""
        self._repairs = missing_repairs(revision)
        self._halted = {rule: repair.name for repair in self._repairs for rule in repair.halted}

    def repair(self, event: RuleBroken, model: ModelMachine) -> str | None:
        """Return the name of the repair whose lack breaks a rule in this way, or None where nothing excuses it."""
        for repair in self._repairs:
            if repair.breaks(event.rule, event.message):
                return repair.name
        if event.rule in self._halted and any(map(is_abandoned, model.adapters.values())):
            return self._halted[event.rule]
        return None


def is_abandoned(adapter: Adapter | None) -> bool:
    """Tell whether an adapter of the model ignored its halt, and so goes on owning what NDIS knows nothing more of."""
    return isinstance(adapter, HaltRundown) and adapter.abandoned
