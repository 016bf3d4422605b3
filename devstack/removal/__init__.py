"""Remove domains that aren't needed: ``python -m devstack.removal wine finance``, or ``--skeleton``.

A domain's files are found by what they import; what a domain owns beyond that, its package lists as ``OWNS``. In files
that stay, what names something that went is cut out: an entry of a table, a test, a line, a paragraph.
"""
