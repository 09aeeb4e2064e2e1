"""The Wintun adapter twice, as a readable model and as a real NDIS driver in C, and a judge that compares the two.

`wintun_sim.bundle` codes and decodes what the device file carries. The command line is `wintun-sim`.
"""

__version__ = "0.1.0"
