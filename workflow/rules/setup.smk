# A folder is named by the digest of what made it, so the name, not the time stamp, says whether it is current.
rule spec:
    output:
        "{parent}/{id}/spec.yaml",
    log:
        "results/logs/spec/{parent}/{id}.log",
    # Done at once, and all else waits for it.
    priority: 2
    localrule: True
    conda:
        "../envs/kinefract.yaml"
    params:
        text=lambda wildcards: spec_of(wildcards).to_yaml(),
    shell:
        "printf %s {params.text:q} > {output:q}.partial 2> {log:q} && mv {output:q}.partial {output:q}"


rule tracking:
    output:
        "results/mlflow/experiments.txt",
    log:
        "results/logs/tracking.log",
    localrule: True
    conda:
        "../envs/kinefract.yaml"
    shell:
        "kinefract tracking > {output:q}.partial 2> >(tee {log:q} >&2) && mv {output:q}.partial {output:q}"


# A study that begins has an experiment, and a page that leads to its runs in MLflow.
rule experiment:
    input:
        ancient(rules.tracking.output),
    output:
        layout.mlflow_page("{study}"),
    log:
        "results/logs/tracking/{study}.log",
    priority: 2
    localrule: True
    conda:
        "../envs/kinefract.yaml"
    shell:
        "kinefract tracking {wildcards.study:q} 2> >(tee {log:q} >&2)"
