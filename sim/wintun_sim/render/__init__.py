"""Runs for people to look at: as a timeline in a terminal, as a Mermaid diagram, as a picture.

``story`` says who takes part in a run and what goes from one to another; ``terminal``, ``mermaid`` and ``svg`` each
draw that; ``states`` draws the transition table. All of them give the same text for the same run, and nothing that a
stranger wrote into a scenario or a trace means anything to whoever shows it.
"""

from wintun_sim.render.story import Lane, Line, Story, Tone, shortened, story_of

__all__ = ["Lane", "Line", "Story", "Tone", "shortened", "story_of"]
