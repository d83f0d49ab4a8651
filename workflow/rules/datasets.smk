rule datasets:
    input:
        [f"data/synthetic/{dataset}/manifest.csv" for study in RUN_STUDIES for dataset in PLAN.stored(study)],
        [
            f"data/benchmarks/{benchmark}/index.csv"
            for study in RUN_STUDIES
            for benchmark in study.benchmarks.values()
        ],


rule shard:
    input:
        spec=ancient("data/synthetic/{id}/spec.yaml"),
    output:
        tar="data/synthetic/{id}/shards/{shard}.tar",
        rows="data/synthetic/{id}/shards/{shard}.csv",
    log:
        "results/logs/shard/{id}-{shard}.log",
    benchmark:
        "results/benchmarks/shard/{id}-{shard}.tsv"
    # Pre-training waits for it, and what is not from scratch for that: else runs from scratch would go first.
    priority: 1
    group:
        "shards" if ELSEWHERE else None
    conda:
        "../envs/kinefract.yaml"
    threads: cores("shard")
    resources:
        **needs("shard"),
    shell:
        logged("kinefract shard {input.spec:q} {wildcards.shard}")


rule dataset:
    input:
        spec=ancient("data/synthetic/{id}/spec.yaml"),
        tars=lambda wildcards: ancient(shard_files(wildcards, "tar")),
        rows=lambda wildcards: ancient(shard_files(wildcards, "csv")),
    output:
        manifest="data/synthetic/{id}/manifest.csv",
        card="data/synthetic/{id}/card.json",
        page="data/synthetic/{id}/card.html",
        picture="data/synthetic/{id}/preview.png",
        preview="data/synthetic/{id}/preview.mp4",
    log:
        "results/logs/dataset/{id}.log",
    benchmark:
        "results/benchmarks/dataset/{id}.tsv"
    priority: 1
    conda:
        "../envs/kinefract.yaml"
    threads: cores("dataset")
    resources:
        **needs("dataset"),
    shell:
        logged("kinefract dataset {input.spec:q}")


rule index:
    input:
        spec=ancient("data/benchmarks/{id}/spec.yaml"),
    output:
        index="data/benchmarks/{id}/index.csv",
        classes="data/benchmarks/{id}/classes.json",
        summary="data/benchmarks/{id}/summary.json",
        page="data/benchmarks/{id}/summary.txt",
        picture="data/benchmarks/{id}/preview.png",
        preview="data/benchmarks/{id}/preview.mp4",
    log:
        "results/logs/index/{id}.log",
    benchmark:
        "results/benchmarks/index/{id}.tsv"
    conda:
        "../envs/kinefract.yaml"
    threads: cores("index")
    resources:
        **needs("index"),
    shell:
        logged("kinefract index {input.spec:q}")
