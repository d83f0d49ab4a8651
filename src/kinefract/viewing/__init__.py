"""Clips and videos as pictures for people: tiles, contact sheets, animations.

``tiles`` and ``sheets`` know arrays alone, ``videos`` those of a benchmark. ``preview`` and ``curves`` show
what formulas make, and stand above ``synth``.
"""
