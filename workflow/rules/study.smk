rule study:
    input:
        spec=ancient("results/studies/{id}/spec.yaml"),
        experiment=lambda wildcards: experiment_before(spec_of(wildcards)),
        pretrained=lambda wildcards: study_inputs(wildcards, "pretrain"),
        finetuned=lambda wildcards: study_inputs(wildcards, "finetune"),
    output:
        page=report(
            "results/studies/{id}/index.html",
            caption="../report/study.rst",
            category=study_of,
            labels={"what": "page"},
        ),
        table=report(
            "results/studies/{id}/table.csv",
            caption="../report/table.rst",
            category=study_of,
            labels={"what": "table"},
        ),
        chart=report(
            "results/studies/{id}/top1.svg",
            caption="../report/chart.rst",
            category=study_of,
            labels={"what": "top-1 of each variant"},
        ),
        curves=report(
            "results/studies/{id}/curves.svg",
            caption="../report/curves.rst",
            category=study_of,
            labels={"what": "training curves"},
        ),
        costs=report(
            "results/studies/{id}/costs.csv",
            caption="../report/costs.rst",
            category=study_of,
            labels={"what": "cost of each variant"},
        ),
        classes=report(
            "results/studies/{id}/classes.csv",
            caption="../report/classes.rst",
            category=study_of,
            labels={"what": "classes, against the baseline"},
        ),
        latex="results/studies/{id}/table.tex",
        answer="results/studies/{id}/answer.json",
        metrics="results/studies/{id}/metrics.json",
    log:
        "results/logs/study/{id}.log",
    benchmark:
        "results/benchmarks/study/{id}.tsv"
    conda:
        "../envs/kinefract.yaml"
    threads: cores("study")
    resources:
        **needs("study"),
    shell:
        logged("kinefract study {input.spec:q}")


# The job of a study makes the link results/studies/<study> to its page. This one does where the page is there already:
# after an edit was taken back, and in a clone.
rule links:
    output:
        LINKED,
    log:
        "results/logs/links.log",
    localrule: True
    conda:
        "../envs/kinefract.yaml"
    shell:
        "kinefract overview > {output:q} 2> >(tee {log:q} >&2)"


for name in PARAMS.studies:

    rule:
        name:
            name
        input:
            study_pages([name]),
