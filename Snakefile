# `snakemake` builds the studies under `run:` in params.yaml; `snakemake <study>` builds one by its name.
include: "workflow/Snakefile"


# A default target set in an included file is not one here.
rule all:
    default_target: True
    input:
        rules.report.input,
