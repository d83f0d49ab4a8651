rule finetune:
    input:
        [finished(study, "finetune") for study in RUN_STUDIES],


rule finetune_run:
    input:
        spec=ancient("results/finetune/{id}/spec.yaml"),
        index=lambda wildcards: ancient(f"{spec_of(wildcards).benchmark.folder}/index.csv"),
        weights=starting_weights,
        tracking=lambda wildcards: store_before(f"results/finetune/{wildcards.id}"),
    output:
        metrics="results/finetune/{id}/metrics.jsonl",
        predictions="results/finetune/{id}/predictions.csv",
        result="results/finetune/{id}/result.json",
        classes="results/finetune/{id}/classes.json",
        per_class="results/finetune/{id}/per_class.csv",
        confusion="results/finetune/{id}/confusion.svg",
        mistakes="results/finetune/{id}/mistakes.png",
        model="results/finetune/{id}/model.safetensors",
    log:
        "results/logs/finetune/{id}.log",
    benchmark:
        "results/benchmarks/finetune/{id}.tsv"
    group:
        small_trainings if ELSEWHERE else None
    conda:
        "../envs/kinefract.yaml"
    threads: cores("finetune_run")
    resources:
        **needs("finetune_run"),
    params:
        time_limit=time_limit,
    shell:
        logged("kinefract finetune {input.spec:q} --workers {threads} {params.time_limit}")


# Of a benchmark with folds, each of which is a run: their predictions together.
rule pool_folds:
    input:
        spec=ancient("results/finetune/{id}/spec.yaml"),
        index=lambda wildcards: ancient(f"{spec_of(wildcards).benchmark.folder}/index.csv"),
        folds=folds_of,
    output:
        metrics="results/finetune/{id}/metrics.jsonl",
        predictions="results/finetune/{id}/predictions.csv",
        result="results/finetune/{id}/result.json",
        classes="results/finetune/{id}/classes.json",
        per_class="results/finetune/{id}/per_class.csv",
        confusion="results/finetune/{id}/confusion.svg",
        mistakes="results/finetune/{id}/mistakes.png",
    log:
        "results/logs/finetune/{id}.log",
    benchmark:
        "results/benchmarks/finetune/{id}.tsv"
    wildcard_constraints:
        id=r"[a-z0-9_-]+-folds-[0-9a-f]{12}",
    conda:
        "../envs/kinefract.yaml"
    threads: cores("pool_folds")
    resources:
        **needs("pool_folds"),
    shell:
        logged("kinefract finetune {input.spec:q}")


ruleorder: pool_folds > finetune_run
