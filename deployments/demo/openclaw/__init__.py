"""A stand-in for OpenClaw 2026.9.6 with its command contract, as captured from the real program.

Stdlib only, /usr/bin/python3 >= 3.9. It is the agent as well: while it serves it writes memory.
Where the real program was not captured, the text is ours and the code says so.
"""

VERSION = "2026.9.6"
