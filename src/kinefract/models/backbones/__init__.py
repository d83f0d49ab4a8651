"""The backbones, each a module of its name with ``build(width, frames, classes, dropout)``.

A new one is one file in this package: it is found by being there, and imported when it is built. What it
builds is a ``kinefract.models.base.Backbone``.
"""
