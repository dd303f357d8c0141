"""The command line: one file per verb, their table of contents in ``vidpose.__main__``.

Verb modules import light things only, so that ``--help`` is quick; what does the work is imported
when a verb runs.
"""
