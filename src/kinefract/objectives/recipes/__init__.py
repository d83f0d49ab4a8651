"""The recipes of objectives, one module each. Importing ``kinefract.objectives`` imports them all.

A new one is one file in this package that registers a class, or in another package that names its module
under the entry point ``kinefract.objectives``; nothing else names it. Modules import torch within ``build``,
since Snakemake imports them at every start. Defaults are the paper's (method, section 5).
"""
