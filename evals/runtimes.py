"""The runtime check: engine, dtype, temperature and batch as factors, with equivalence verdicts."""

from pathlib import Path

import pandas as pd

from panelist.analysis.cells import cells_by_focal
from panelist.analysis.contrasts import Contrasts, contrasts
from panelist.analysis.equivalence import Equivalence, equivalence, runtime_cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.shift import shift
from panelist.evals import findings
from panelist.evals.design import Design
from panelist.evals.findings import Found
from panelist.evals.units import Plan
from panelist.leaderboard.report import Section, records
from panelist.scorers.logs import Run, read_logs

Answer = tuple[str, str, str]


def runtime_sections(
    design: Design, plan: Plan, logs: Path, behaviour: str
) -> tuple[list[Found], list[Answer], pd.DataFrame, list[Run]]:
    """Sections, answers, replies of all runtimes (column `runtime`) and runs."""
    runs: list[Run] = []
    parts = []
    for runtime in (spec.name for spec in design.runtimes):
        folders = [logs / unit.name for unit in plan.units if unit.runtime == runtime]
        seen, table = read_logs(folders, behaviour=behaviour)
        runs += seen
        parts.append(table.assign(runtime=runtime))
    table = pd.concat(parts, ignore_index=True)
    verdicts = {row.name: _equivalence(design, table, behaviour, row.name) for row in design.rows}
    made, answers = [_verdicts(design, verdicts, behaviour)], [_answer(verdicts, behaviour)]
    if len(design.rows) > 1:
        section, answer = _conclusions(table, behaviour)
        made.append(section)
        answers.append(answer)
    return made, answers, table, runs


def _equivalence(
    design: Design, table: pd.DataFrame, behaviour: str, focal: str
) -> Equivalence | NotIdentified:
    single = findings.without_twins(table[table["focal"] == focal])
    first = single[single["runtime"] == single["runtime"].iloc[0]]
    over_partners = shift(cells_by_focal(first, behaviour=behaviour)[focal])
    try:
        cells = runtime_cells(single, behaviour=behaviour, focal=focal)
    except AnalysisError as ex:
        return NotIdentified("runtime equivalence", str(ex), "the same grid under every runtime")
    return equivalence(cells, margin=design.margin, partners=over_partners)


def _verdicts(
    design: Design, verdicts: dict[str, Equivalence | NotIdentified], behaviour: str
) -> Found:
    rows, values = [], {}
    for name, found in verdicts.items():
        if isinstance(found, NotIdentified):
            rows.append({"checkpoint": name, "verdict": found.summary()})
            values[name] = records(found.to_frame())
            continue
        levels = zip(found.runtimes, found.over_runtimes.levels, strict=True)
        rows.append(
            {
                "checkpoint": name,
                "verdict": found.verdict,
                "levels": ", ".join(f"{r} {100 * v.estimate:.0f} %" for r, v in levels),
                "equivalent within": f"{100 * found.smallest_margin:.0f} %",
                "TOST p": f"{max(found.p):.2g}",
                "omnibus p": f"{found.over_runtimes.p:.2g}",
            }
        )
        values[name] = {
            "verdict": found.verdict,
            "smallest_margin": found.smallest_margin,
            "pairs": records(found.to_frame()),
        }
    text = (
        f"Levels of {behaviour} under each runtime, mean over partners, paired by seed. Margin set "
        f"beforehand: {100 * design.margin:g} % of the level. 'Equivalent within' is the smallest "
        "margin that these data would bear.",
        *(v.summary() for v in verdicts.values()),
    )
    frame = pd.DataFrame(rows).fillna("")
    return Section(f"Equivalence: {behaviour}", text, frame, main=True), {"equivalence": values}


def _answer(verdicts: dict[str, Equivalence | NotIdentified], behaviour: str) -> Answer:
    question = f"Do the runtimes agree on {behaviour}?"
    known = {n: v for n, v in verdicts.items() if isinstance(v, Equivalence)}
    if not known:
        whys = {v.because for v in verdicts.values() if isinstance(v, NotIdentified)}
        return question, "cannot say", "; ".join(sorted(whys))
    differ = [name for name, v in known.items() if v.verdict == "different"]
    margin = max(v.smallest_margin for v in known.values())
    behind = f"equivalent within {100 * margin:.0f} % of the level at most"
    if differ:
        return question, f"no, {', '.join(differ)} differs", behind
    if all(v.verdict == "equivalent" for v in known.values()):
        return question, "yes, equivalent", behind
    return question, "no difference is shown", f"{behind}; more seeds would decide"


def _conclusions(table: pd.DataFrame, behaviour: str) -> tuple[Found, Answer]:
    """What is concluded about every pair of checkpoints under every runtime."""
    said: dict[str, dict[str, str]] = {}
    single = findings.without_twins(table)
    for runtime, part in single.groupby("runtime", sort=False):
        found = contrasts(cells_by_focal(part, behaviour=behaviour))
        if isinstance(found, Contrasts):
            said[str(runtime)] = {
                f"{a} − {b}": ("more" if v.low > 0 else "less" if v.high < 0 else "open")
                + f": {v.text(100, 0, named=False)}"
                for (a, b), v in zip(found.pairs, found.differences, strict=True)
            }
    question = "Are the same conclusions drawn about the checkpoints?"
    heading = f"Conclusions by runtime: {behaviour}"
    if not said:
        text = ("No runtime has enough complete seeds.",)
        return (Section(heading, text), {}), (question, "cannot say", text[0])
    pairs = list(next(iter(said.values())))
    rows, split, same = [], 0, 0
    for pair in pairs:
        words = {runtime: verdict[pair] for runtime, verdict in said.items()}
        kinds = {word.partition(":")[0] for word in words.values()}
        split += {"more", "less"} <= kinds
        same += len(kinds) == 1
        rows.append({"pair": pair, **words})
    text = ("First minus second in percentage points with the paired 95 % interval over seeds.",)
    found_section = (Section(heading, text, pd.DataFrame(rows), main=True), {"conclusions": rows})
    behind = f"{same} of {len(pairs)} pairs have one verdict everywhere, {split} have opposite ones"
    verdict = "no" if split else "yes" if same == len(pairs) else "none contradicts another"
    return found_section, (question, verdict, behind)
