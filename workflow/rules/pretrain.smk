rule pretrain:
    input:
        [finished(study, "pretrain") for study in RUN_STUDIES],


rule pretrain_run:
    input:
        spec=ancient("results/pretrain/{id}/spec.yaml"),
        dataset=stored_clips,
        tracking=lambda wildcards: store_before(f"results/pretrain/{wildcards.id}"),
    output:
        metrics="results/pretrain/{id}/metrics.jsonl",
        result="results/pretrain/{id}/result.json",
        model="results/pretrain/{id}/model.safetensors",
    log:
        "results/logs/pretrain/{id}.log",
    benchmark:
        "results/benchmarks/pretrain/{id}.tsv"
    # Everything that is not from scratch waits for it.
    priority: 1
    conda:
        "../envs/kinefract.yaml"
    threads: cores("pretrain_run")
    resources:
        **needs("pretrain_run"),
    params:
        devices=lambda wildcards: spec_of(wildcards).recipe.devices,
        nodes=lambda wildcards: spec_of(wildcards).recipe.nodes,
        time_limit=time_limit,
    shell:
        logged(
            "kinefract pretrain {input.spec:q} --workers {threads} --devices {params.devices} --nodes {params.nodes}"
            " {params.time_limit}"
        )
