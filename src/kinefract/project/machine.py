"""Checks of the machine: torch and its devices, encoders, cores, memory, disk."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from kinefract.common import cores as usable_cores
from kinefract.common.errors import first_line
from kinefract.common.files import in_bytes
from kinefract.common.provenance import processor
from kinefract.project.finding import Finding

LITTLE_DISK, LITTLE_MEMORY = 5_000_000_000, 4_000_000_000  # bytes; the first study takes a fraction of them
OTHER_ENCODERS = ("libx265", "libsvtav1", "libvpx-vp9")  # which nothing here needs
BUILDS = "pytorch.org/get-started has the command for each build"


def torch(root: Path) -> Finding:
    """Tell torch's version, what it was built for, and whether that suits the machine."""
    import torch

    cuda, rocm = torch.version.cuda, torch.version.hip
    built = f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else ""
    says = f"{torch.__version__}, built for {built or 'CPUs alone'}"
    values = {"version": torch.__version__, "cuda": cuda, "rocm": rocm}
    if torch.cuda.is_available() or not _has_nvidia_driver():
        return Finding(says, values=values)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not built:
        remedy = f"this machine has a GPU of NVIDIA's: install a build for CUDA ({BUILDS})"
    elif hidden is not None:
        remedy = f"it sees no GPU, since CUDA_VISIBLE_DEVICES is {hidden!r}: unset it"
    else:
        remedy = f"it sees no GPU: update NVIDIA's driver, or install a build for an older CUDA ({BUILDS})"
    return Finding(says, remedy, values=values)


def devices(root: Path) -> Finding:
    """Name the GPUs and the processor, and compute a little on each GPU."""
    import torch

    says, gpus = [], []
    for number in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(number)
        try:
            clip = torch.ones(1, 1, 4, 8, 8, device=f"cuda:{number}")
            torch.nn.functional.conv3d(clip, clip[..., :3, :3]).sum().item()
        except RuntimeError as error:
            remedy = f"install a build of torch for it ({BUILDS}), or hide it: CUDA_VISIBLE_DEVICES=''"
            return Finding(f"{name} cannot compute: {first_line(error)}", remedy, broken=True)
        free, total = torch.cuda.mem_get_info(number)
        says.append(f"GPU {number}: {name}, {in_bytes(free)} of {in_bytes(total)} free")
        gpus.append({"name": name, "memory_bytes": total, "free_bytes": free})
    says.append(f"CPU: {processor()}")
    return Finding("; ".join(says), values={"gpus": gpus, "processor": processor()})


def training(root: Path) -> Finding:
    """Tell on what a training would run, and at which precision."""
    import torch

    from kinefract.training.processes import computes_in_bfloat16

    if torch.cuda.is_available():
        device, count = "cuda", torch.cuda.device_count()
        fast, instead = torch.cuda.is_bf16_supported(including_emulation=False), "16-mixed"
        says = "on a GPU, one training at a time"
        if count > 1:
            says = f"on {count} GPUs, one training on each with `snakemake --resources gpu={count}`"
    else:
        device, count = "cpu", 0
        fast, instead = computes_in_bfloat16(), "32-true"
        says = f"on the CPU, with the `threads` of a recipe, {usable_cores.usable()} at once"
    says += ", in the `precision` of a recipe"
    values = {"device": device, "gpus": count, "bfloat16": fast}
    if fast:
        return Finding(says, values=values)
    remedy = f"it has no instructions for bf16-mixed, which is slow here: set `precision: {instead}`"
    return Finding(says, remedy, values=values)


def encoders(root: Path) -> Finding:
    """Tell the version of PyAV and whether it encodes clips."""
    import av

    from kinefract.video.files import ENCODER

    there = [name for name in (ENCODER, *OTHER_ENCODERS) if _encodes(name)]
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    says = f"{', '.join(there) or 'none'}, of PyAV {av.__version__} with libavcodec {codec}"
    values = {"pyav": av.__version__, "libavcodec": codec, "encoders": there}
    if ENCODER in there:
        return Finding(says, values=values)
    remedy = f"{ENCODER} is needed, and PyAV's own wheels have it: pip install --force-reinstall av"
    return Finding(says, remedy, True, values)


def kernels(root: Path) -> Finding:
    """Tell where compiled kernels are kept."""
    import numba

    from kinefract.synth.render.compiled import folder

    place, says = folder(), f"numba {numba.__version__}, compiled code in {folder()}"
    values = {"numba": numba.__version__, "folder": str(place), "compiled": place.exists()}
    if not os.access(_existing(place), os.W_OK):
        remedy = "it cannot be written, so each process compiles anew: set NUMBA_CACHE_DIR"
        return Finding(says, remedy, values=values)
    if not place.exists():
        says += "; the first clip takes a minute, in which it is compiled"
    return Finding(says, values=values)


def cores(root: Path) -> Finding:
    """Tell how many cores this process may use, of how many."""
    usable, there = usable_cores.usable(), os.cpu_count() or 1
    return Finding(f"{usable} of {there} may be used", values={"usable": usable, "machine": there})


def memory(root: Path) -> Finding:
    """Tell how much memory there is, free, and allowed to this process."""
    import psutil

    found, limit = psutil.virtual_memory(), _memory_limit()
    values = {"total_bytes": found.total, "available_bytes": found.available, "limit_bytes": limit}
    says = f"{in_bytes(found.available)} of {in_bytes(found.total)} free"
    if limit and limit < found.total:
        says += f", {in_bytes(limit)} allowed here"
    if min(found.available, limit or found.available) < LITTLE_MEMORY:
        remedy = "a training takes 2 GB or more: run fewer at once, as with `snakemake --cores 1`"
        return Finding(says, remedy, values=values)
    return Finding(says, values=values)


def disk(root: Path) -> Finding:
    """Tell how much room there is where data and results go."""
    free = {name: shutil.disk_usage(_existing(root / name)).free for name in ("data", "results")}
    says = f"{in_bytes(free['data'])} free for data"
    if free["data"] != free["results"]:
        says += f", {in_bytes(free['results'])} for results"
    values = {f"{name}_free_bytes": count for name, count in free.items()}
    if min(free.values()) < LITTLE_DISK:
        remedy = "`kinefract plan` says what studies need; data and results can be links to another disk"
        return Finding(says, remedy, values=values)
    return Finding(says, values=values)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _encodes(name: str) -> bool:
    import av

    try:
        return av.Codec(name, "w").is_encoder
    except (ValueError, av.FFmpegError):
        return False


def _has_nvidia_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def _memory_limit() -> int | None:
    """Return the bytes that control groups (version 2) allow to this process; None without a limit."""
    limits = []
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        group = Path("/sys/fs/cgroup", next(line[3:] for line in lines if line.startswith("0::")).lstrip("/"))
        for place in (group, *group.parents):
            with suppress(OSError, ValueError):
                limits.append(int((place / "memory.max").read_text(encoding="utf-8")))
    return min(limits, default=None)
