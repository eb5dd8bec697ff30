"""From the tidy table of replies to numbers with honest intervals.

One module a question: ``cells`` (the table to seed-level sums), ``shift`` (does the focal move with
its partner), ``pairs``, ``dose``, ``echo``, ``length``, ``sensitivity``, ``diversity`` and
``permutation`` (recipe against family), ``srm`` (round-robins), ``detection`` (planted designs),
``detector_error``, ``power``, ``composition`` (which panel), ``equivalence`` (runtimes), ``plots``.

This file imports nothing, so that ``import panelist.analysis`` costs nothing. Write
``from panelist.analysis.shift import shift``.
"""
