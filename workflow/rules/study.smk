rule study:
    input:
        spec=ancient("results/studies/{id}/spec.yaml"),
        pretrained=lambda wildcards: study_inputs(wildcards, "pretrain"),
        finetuned=lambda wildcards: study_inputs(wildcards, "finetune"),
    output:
        page=report("results/studies/{id}/index.html", caption="../report/study.rst", category="Studies"),
        table=report("results/studies/{id}/table.csv", caption="../report/table.rst", category="Studies"),
        chart=report("results/studies/{id}/top1.svg", caption="../report/chart.rst", category="Studies"),
        curves=report("results/studies/{id}/curves.svg", caption="../report/curves.rst", category="Studies"),
        metrics="results/studies/{id}/metrics.json",
    log:
        "results/logs/study/{id}.log",
    benchmark:
        "results/benchmarks/study/{id}.tsv"
    conda:
        "../envs/ffmpeg.yaml"
    shell:
        "kinefract study {input.spec:q} 2>&1 | tee {log:q}"


for name in PARAMS.studies:

    rule:
        name:
            name
        input:
            study_page(name),
