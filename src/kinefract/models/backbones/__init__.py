"""The backbones, one module each. Importing ``kinefract.models`` imports them all and fills its registry.

A new backbone is one file that registers a class. The file lies in this package, or in another package that
names its module under the entry point ``kinefract.backbones``; nothing else has to name it. Modules import
torch within ``build``, since Snakemake imports them at every start.
"""
