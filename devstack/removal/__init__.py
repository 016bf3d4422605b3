"""Remove domains: ``python -m devstack.removal wine finance``, or ``--skeleton``.

A domain's files are found by their imports; its package lists further files in ``OWNS``. In the remaining files,
references to what was removed are cut: an entry of a table, a test, a line, a paragraph.
"""
