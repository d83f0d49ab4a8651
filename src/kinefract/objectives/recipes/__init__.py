"""The recipes of objectives, one module each. Importing ``kinefract.objectives`` imports them all.

A new objective is one file that registers a class. The file lies in this package, or in another package that
names its module under the entry point ``kinefract.objectives``; nothing else has to name it. Modules import
torch within ``build``, since Snakemake imports them at every start. Defaults are the paper's (method, section
5).
"""
