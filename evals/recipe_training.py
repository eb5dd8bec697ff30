"""Training of the calibration recipes: small LoRA adapters on the embedded checkpoint.

Four recipes of one base, made to differ in a known way, so that the suite can be tested on real
checkpoints whose difference was planted:

- direct: supervised on the least hedged of its own replies (rejection sampling)
- hedged: supervised on the most hedged of them
- preference: the hedged reply preferred to the direct one (DPO, Rafailov et al. 2023)
- thinking: supervised on replies after a block of notes in `<think>` tags

    panelist recipe train hedged --data FOLDER -o FOLDER    # 5 to 15 minutes on two cores
"""

import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from panelist.evals.recipe_data import Sampled
from panelist.panels.errors import PanelistError
from panelist.panels.recipe import RECIPES

RANK, ALPHA = 2, 16
MODULES = ("q_proj", "v_proj", "o_proj", "down_proj")
BATCH, EPOCHS, RATE = 8, 2, {"sft": 1e-3, "dpo": 3e-4}
BETA = 0.1
"""Weight of the reference in DPO."""

WORDS = (20, 110)
"""Length of the replies that are trained on: neither direct nor hedged is to mean short or long."""

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""What the adapters are for."""

INSTALL = "pip install 'panelist[train]'"


def read_sampled(path: Path) -> list[Sampled]:
    """The sampled turns of a file of `recipe_data`.

    Raises:
        PanelistError: the file cannot be read, or a line is not a sampled turn.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as ex:
        raise PanelistError(f"{path}: cannot read it ({ex.strerror}); see `recipe data`") from ex
    found = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["messages"] = tuple((role, text) for role, text in row["messages"])
            found.append(Sampled(**row))
        except (ValueError, TypeError, KeyError) as ex:
            raise PanelistError(f"{path}, line {number}: not a sampled turn ({ex})") from ex
    return found


def select(rows: Sequence[Sampled]) -> dict[str, list[dict[str, Any]]]:
    """The training examples of each recipe: prompt messages, `chosen` and, for DPO, `rejected`.

    Best of n by `hedging-learned` within each context; a context without a reply that ended by
    itself at a fair length gives none.
    """
    from panelist.scorers.detectors import detector

    said = [row for row in rows if row.style != "think" and _usable(row)]
    befores = [row.messages[-1][1].partition(" said: ")[2] for row in said]
    scores = detector("hedging-learned").score([row.text for row in said], befores)
    contexts: dict[str, list[tuple[float, Sampled]]] = defaultdict(list)
    for row, probability in zip(said, scores["probability"], strict=True):
        contexts[row.context].append((float(probability), row))
    notes = {row.context: " ".join(row.text.split()) for row in rows if row.style == "think"}
    examples: dict[str, list[dict[str, Any]]] = {name: [] for name in RECIPES}
    for context, ranked in contexts.items():
        ranked.sort(key=lambda item: (item[0], item[1].text))
        low = [row for _, row in ranked if row.style != "hedged"][:1]
        high = [(p, row) for p, row in ranked if row.style != "direct"][-1:]
        plain = [row for _, row in ranked if row.style == "plain"][:1]
        if low:
            examples["direct"].append(_example(low[0]))
        if high and high[0][0] > 0.5:
            examples["hedged"].append(_example(high[0][1]))
            if low:
                pair = {**_example(high[0][1]), "rejected": low[0].text}
                examples["preference"].append(pair)
        if plain and 4 <= len(notes.get(context, "").split()) <= 60:
            thought = f"<think>\n{notes[context]}\n</think>\n\n{plain[0].text}"
            examples["thinking"].append({**_example(plain[0]), "chosen": thought})
    return examples


def _usable(row: Sampled) -> bool:
    return row.stop == "stop" and WORDS[0] <= len(row.text.split()) <= WORDS[1]


def _example(row: Sampled) -> dict[str, Any]:
    return {"context": row.context, "messages": list(row.messages), "chosen": row.text}


def train(
    recipe: str, examples: Sequence[dict[str, Any]], base: Path, output: Path, seed: int = 0
) -> list[float]:
    """Train one adapter and write it in PEFT's format; the mean loss of each tenth of the way.

    Args:
        recipe: a name of `panelist.panels.recipe.RECIPES`.
        examples: as `select` gives them.
        base: the embedded checkpoint as a Hugging Face directory.
        output: folder of the adapter; new.
        seed: of the initial weights and the order.

    Raises:
        PanelistError: the folder is there already, or a package is missing.
    """
    if output.exists():
        raise PanelistError(f"{output}: exists already; name a new folder")
    try:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as ex:
        raise PanelistError(f"training needs {ex.name}: {INSTALL}") from ex
    from tqdm import tqdm

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(
        model,
        LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=list(MODULES), task_type="CAUSAL_LM"),
    )
    preference = RECIPES[recipe].method == "dpo"
    rate = RATE["dpo" if preference else "sft"]
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    steps = EPOCHS * math.ceil(len(examples) / BATCH)
    losses: list[float] = []
    model.train()
    for step, batch in enumerate(
        tqdm(_batches(examples, seed), total=steps, desc=recipe, unit="step", file=sys.stderr)
    ):
        warm, left = min(1.0, (step + 1) / 5), 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * left
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = _dpo(model, tokenizer, batch) if preference else _sft(model, tokenizer, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(float(loss))
    for parameter in weights:
        parameter.data = parameter.data.half()
    output.parent.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(output)
    _tidy(output)
    tenth = max(1, len(losses) // 10)
    return [
        round(sum(losses[i : i + tenth]) / len(losses[i : i + tenth]), 4)
        for i in range(0, len(losses), tenth)
    ]


def record(
    recipe: str,
    examples: Sequence[dict[str, Any]],
    losses: Sequence[float],
    seed: int,
    output: Path,
) -> None:
    """Write what an adapter was made from, beside it (`training.json`).

    Args:
        recipe: its name.
        examples: what it was trained on; their hash and their contexts' seeds are written.
        losses: as `train` gives them.
        seed: of the training.
        output: the adapter's folder.
    """
    text = json.dumps(list(examples), ensure_ascii=False, sort_keys=True)
    words = [len(str(row["chosen"]).split()) for row in examples]
    said = {
        "recipe": recipe,
        "method": RECIPES[recipe].method,
        "planted": RECIPES[recipe].planted,
        "base": BASE,
        "examples": len(examples),
        "examples_sha256": sha256(text.encode()).hexdigest(),
        "mean_words": round(sum(words) / len(words), 1),
        "seeds": sorted({str(row["context"]).partition(":")[0] for row in examples}),
        "rank": RANK,
        "alpha": ALPHA,
        "modules": list(MODULES),
        "batch": BATCH,
        "epochs": EPOCHS,
        "rate": RATE[RECIPES[recipe].method],
        "beta": BETA if RECIPES[recipe].method == "dpo" else None,
        "seed": seed,
        "losses": list(losses),
    }
    path = output / "training.json"
    path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def _tidy(output: Path) -> None:
    """Leave weights and configuration, without the path of this machine."""
    (output / "README.md").unlink(missing_ok=True)
    path = output / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = BASE
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _batches(examples: Sequence[dict[str, Any]], seed: int) -> Iterator[list[dict[str, Any]]]:
    order = random.Random(seed)
    for _ in range(EPOCHS):
        rows = list(examples)
        order.shuffle(rows)
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH]


def _log_probabilities(model: Any, tokenizer: Any, batch: Sequence[tuple[Any, str]]) -> Any:
    """Sum of the reply's log-probabilities, and its tokens, for (messages, reply) pairs."""
    import torch

    ids, starts = [], []
    for messages, reply in batch:
        chat = [{"role": role, "content": text} for role, text in messages]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        given = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        made = tokenizer(reply, add_special_tokens=False)["input_ids"]
        ids.append([*given, *made, tokenizer.eos_token_id])
        starts.append(len(given))
    longest = max(map(len, ids))
    tokens = torch.tensor([row + [tokenizer.eos_token_id] * (longest - len(row)) for row in ids])
    place = torch.arange(longest)
    lengths = torch.tensor([len(row) for row in ids])[:, None]
    reply_mask = ((place >= torch.tensor(starts)[:, None]) & (place < lengths))[:, 1:]
    logits = model(input_ids=tokens, attention_mask=(place < lengths).long()).logits[:, :-1]
    chosen = logits.float().log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return (chosen * reply_mask).sum(-1), reply_mask.sum(-1)


def _sft(model: Any, tokenizer: Any, batch: Sequence[dict[str, Any]]) -> Any:
    pairs = [(row["messages"], row["chosen"]) for row in batch]
    total, tokens = _log_probabilities(model, tokenizer, pairs)
    return -total.sum() / tokens.sum()


def _dpo(model: Any, tokenizer: Any, batch: Sequence[dict[str, Any]]) -> Any:
    import torch

    pairs = [(row["messages"], row[key]) for key in ("chosen", "rejected") for row in batch]
    policy, _ = _log_probabilities(model, tokenizer, pairs)
    with torch.no_grad(), model.disable_adapter():
        reference, _ = _log_probabilities(model, tokenizer, pairs)
    better, worse = (policy - reference).chunk(2)
    return -torch.nn.functional.logsigmoid(BETA * (better - worse)).mean()
