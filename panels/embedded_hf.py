"""The embedded checkpoint as an ordinary Hugging Face directory, for Transformers and vLLM.

Written with numpy alone; Transformers' own reading of the same GGUF gives the same tokens and the
same logits up to float16 rounding (tests/test_embedded_slow.py).
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from panelist.panels.embedded import INSTALL_HINT, PROJECTIONS, embedded_model, file_sha256
from panelist.panels.errors import PanelistError
from panelist.panels.recipe import adapter


def export_hf(directory: Path) -> Path:
    """Export the embedded checkpoint (or its override, if that is a GGUF) to a new directory.

    Raises:
        PanelistError: the directory exists, or the weights cannot be had.
    """
    if directory.exists():
        raise PanelistError(f"{directory}: exists already; name a new directory")
    scratch = directory.with_name(directory.name + ".part")
    scratch.mkdir(parents=True)
    write_hf_directory(embedded_model(), scratch)
    scratch.rename(directory)
    return directory


def served(model: str) -> str:
    """The Inspect model string of the embedded checkpoint behind another engine.

    `vllm/embedded` and `vllm/embedded:hedged` (or `hf/embedded`) become the paths of its exported
    directory, made once in the user's cache, and of the recipe's adapter; any other string stays.

    >>> served("vllm/org/name")
    'vllm/org/name'
    """
    provider, _, rest = model.partition("/")
    name, _, recipe = rest.partition(":")
    if name != "embedded":
        return model
    directory = (
        user_cache_path("panelist") / "embedded" / f"hf-{file_sha256(embedded_model())[:12]}"
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        if not directory.exists():
            shutil.rmtree(f"{directory}.part", ignore_errors=True)
            export_hf(directory)
    return f"{provider}/{directory}" + (f":{adapter(recipe)}" if recipe else "")


def write_hf_directory(gguf: Path, directory: Path) -> None:
    """Dequantise a Llama-architecture GGUF into a Hugging Face directory (float16).

    Raises:
        PanelistError: a package is missing, or the GGUF is of another architecture.
    """
    try:
        import numpy as np
        from gguf import GGUFReader, dequantize
        from safetensors.numpy import save_file
    except ImportError as ex:
        raise PanelistError(f"the export needs {ex.name}: {INSTALL_HINT}") from ex
    from tqdm import tqdm

    reader = GGUFReader(gguf)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    if facts["general.architecture"] != "llama":
        raise PanelistError(f"{gguf}: architecture {facts['general.architecture']!r}, not llama")
    config = _config(facts)
    weights: dict[str, Any] = {}
    for tensor in tqdm(reader.tensors, desc="dequantising", unit="tensor", file=sys.stderr):
        values = dequantize(tensor.data, tensor.tensor_type)
        if tensor.name.endswith("attn_q.weight"):
            values = _unpermute(values, config["num_attention_heads"])
        elif tensor.name.endswith("attn_k.weight"):
            values = _unpermute(values, config["num_key_value_heads"])
        weights[_hf_name(tensor.name)] = np.ascontiguousarray(values, dtype=np.float16)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    _write_json(directory / "config.json", config)
    _write_json(
        directory / "generation_config.json",
        {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
    )
    _write_tokenizer(facts, directory)


def _config(facts: dict[str, Any]) -> dict[str, Any]:
    heads = facts["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": facts["llama.embedding_length"],
        "head_dim": facts["llama.embedding_length"] // heads,
        "intermediate_size": facts["llama.feed_forward_length"],
        "max_position_embeddings": facts["llama.context_length"],
        "num_attention_heads": heads,
        "num_hidden_layers": facts["llama.block_count"],
        "num_key_value_heads": facts["llama.attention.head_count_kv"],
        "rms_norm_eps": facts["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": facts["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "vocab_size": facts["llama.vocab_size"],
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "pad_token_id": facts["tokenizer.ggml.padding_token_id"],
        "torch_dtype": "float16",
    }


_NAMES = PROJECTIONS | {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def _hf_name(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{_NAMES[part]}.weight"


def _unpermute(values: Any, heads: int) -> Any:
    """Undo llama.cpp's interleaving of the rotary halves of a query or key projection."""
    rows, columns = values.shape
    pairs = values.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def _write_tokenizer(facts: dict[str, Any], directory: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = facts["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's token type for special tokens
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, facts["tokenizer.ggml.token_type"], strict=True)
            if kind == control
        ]
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    _write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[facts["tokenizer.ggml.bos_token_id"]],
            "eos_token": tokens[facts["tokenizer.ggml.eos_token_id"]],
            "pad_token": tokens[facts["tokenizer.ggml.padding_token_id"]],
            "unk_token": tokens[facts["tokenizer.ggml.unknown_token_id"]],
            "model_max_length": facts["llama.context_length"],
            "clean_up_tokenization_spaces": False,
            "chat_template": facts["tokenizer.chat_template"],
        },
    )


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
