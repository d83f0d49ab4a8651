"""The backbones, one module each. Importing ``kinefract.models`` imports them all and fills its registry.

A new one is one file in this package that registers a class, or in another package that names its module
under the entry point ``kinefract.backbones``; nothing else names it. Modules import torch within ``build``,
since Snakemake imports them at every start.
"""
