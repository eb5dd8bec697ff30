"""The board in the formats of others: Hugging Face Community Evals, and Every Eval Ever.

Both mirror the board and are never its source. Formats as in hub-docs @242f4a1 and evaleval schema
0.3.0 (research/hub.md, sections 1 and 2); neither has a field for ranks or tied sets.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from panelist.leaderboard.board_words import discrimination
from panelist.leaderboard.report import write
from panelist.panels.errors import PanelistError

FRAMEWORK = "panelist"

TITLES = {
    "hedging": "hedging: relative shift with the partner",
    "repair": "repair: d' of planted trouble",
    "challenge": "challenge: d' of false claims",
}
"""The one number of each behaviour that these formats have room for."""


def read_board(site: Path) -> dict[str, Any]:
    """The data of a site.

    Raises:
        PanelistError: there is no board.
    """
    try:
        data: dict[str, Any] = json.loads((site / "board.json").read_bytes())
    except (OSError, ValueError) as ex:
        raise PanelistError(
            f"{site}: not a board's site, it has no readable board.json ({ex}); make one with "
            "`panelist board build`"
        ) from ex
    return data


def headline(panel: Mapping[str, Any], behaviour: str) -> dict[str, float] | None:
    """The number of a row that is exported, with its interval; None where there is none."""
    found = panel["shift"] if behaviour == "hedging" else discrimination(panel)[1]
    return dict(found) if "estimate" in found else None


def title(panel: Mapping[str, Any], behaviour: str) -> str:
    """What the number is, with the matched pair that a d' is of where there are several."""
    pair = "" if behaviour == "hedging" else discrimination(panel)[0]
    return TITLES[behaviour] + (f" (pair {pair})" if pair else "")


def counted(panel: Mapping[str, Any], behaviour: str) -> int:
    """Replies behind the number: a d' is of its pair's partners alone."""
    held = panel if behaviour == "hedging" else panel["detection"][discrimination(panel)[0]]
    return int(held["replies"])


def _current(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in data["rows"]:
        if row["superseded_by"] is None:
            yield row


def community_evals(
    data: Mapping[str, Any], output: Path, dataset: str, revision: str | None = None
) -> list[Path]:
    """`eval.yaml` for the submissions' dataset, and an `.eval_results` file for every Hub model.

    Args:
        data: of the board.
        output: folder; files of a model lie in `models/<org>/<name>/`.
        dataset: the dataset's repository.
        revision: its commit.
    """
    import yaml

    tasks = [{"id": behaviour} for behaviour in data["behaviours"]]
    about = {
        "name": "panelist",
        "description": "How language-model checkpoints behave as members of a panel.",
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }
    found = [output / "eval.yaml"]
    write(yaml.safe_dump(about, sort_keys=False), found[0])
    for row in _current(data):
        if row["weights"]["kind"] != "revision" or not (repository := repository_of(row)):
            continue  # no repository to write to
        entries = [
            _result(row, behaviour, value, data, dataset, revision)
            for behaviour, panel in row["panels"].items()
            if (value := headline(panel, behaviour))
        ]
        if entries:
            path = output / "models" / repository / ".eval_results" / f"{FRAMEWORK}.yaml"
            write(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), path)
            found.append(path)
    return found


_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def repository_of(row: Mapping[str, Any]) -> str:
    """The Hub repository of open weights, as org/name; "" where the model names none.

    A path is made of it, and a submitter wrote it: neither a local path nor a way up is one.
    """
    name = str(row["model"]).partition("/")[2]
    return name if row["class"] == "open" and _REPOSITORY.fullmatch(name) else ""


def _result(
    row: Mapping[str, Any],
    behaviour: str,
    value: Mapping[str, float],
    data: Mapping[str, Any],
    dataset: str,
    revision: str | None,
) -> dict[str, Any]:
    panel, detector = row["panels"][behaviour], data["detectors"][behaviour]
    at = revision or "main"
    where = f"submissions/{data['benchmark']}/{row['id']}"
    said = {"id": dataset, "task_id": behaviour}
    return {
        "dataset": said | ({"revision": revision} if revision else {}),
        "value": value["estimate"],
        "date": row["date"],
        "source": {
            "url": f"https://huggingface.co/datasets/{dataset}/tree/{at}/{where}",
            "name": f"panelist board {data['version']}",
        },
        "notes": (
            f"{title(panel, behaviour)}; 95% CI {value['low']:g} to {value['high']:g}; "
            f"n={counted(panel, behaviour)} replies on {panel['seeds']} seeds; "
            f"detector {detector['name']} {detector['version']} ({detector['status']}); "
            f"bench v{data['benchmark']}"
        ),
    }


def every_eval_ever(data: Mapping[str, Any], output: Path) -> list[Path]:
    """One aggregate JSON for every row, in `data/panelist/<developer>/<model>/<uuid>.json`."""
    found = []
    for row in _current(data):
        developer, _, model = repository_of(row).rpartition("/")
        name = uuid5(NAMESPACE_URL, f"panelist:{data['version']}:{row['id']}")
        folder = (
            output / "data" / "panelist" / (developer or row["family"]) / (model or row["name"])
        )
        found.append(folder / f"{name}.json")
        text = json.dumps(_aggregate(row, data, str(name)), indent=2, ensure_ascii=False)
        write(text + "\n", found[-1])
    return found


def _aggregate(row: Mapping[str, Any], data: Mapping[str, Any], name: str) -> dict[str, Any]:
    closed = row["class"] == "api"
    return {
        "schema_version": "0.3.0",
        "evaluation_id": f"panelist/{row['name']}/{name}",
        "retrieved_timestamp": f"{row['date']}T00:00:00+00:00",
        "source_metadata": {
            "source_name": f"panelist board {data['version']}",
            "source_type": "evaluation_run",
            "source_organization_name": row["submitter"],
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "panelist", "version": data["package"]},
        "model_info": {
            "name": row["name"],
            "id": row["model"].partition("/")[2],
            "inference_engine": {"name": row["engine"]},
            "additional_details": {
                "deployment_type": "externally_managed" if closed else "self_deployed",
                "model_availability": "closed_weights" if closed else "open_weights",
                "family": row["family"],
                "base": row["base"],
                "recipe": row["recipe"],
                "weights": f"{row['weights']['kind']} {row['weights']['value']}",
            },
        },
        "evaluation_results": [
            {
                "evaluation_name": title(panel, behaviour),
                "source_data": {
                    "dataset_name": f"panelist {behaviour} bank",
                    "source_type": "other",
                    "additional_details": {
                        "partners": ", ".join(data["partners"][behaviour]),
                        "benchmark": data["benchmark"],
                    },
                },
                "metric_config": {
                    "evaluation_description": title(panel, behaviour),
                    "lower_is_better": False,
                    "score_type": "continuous",
                    "min_score": 0.0 if behaviour == "hedging" else -10.0,
                    "max_score": 10.0,
                },
                "score_details": {
                    "score": value["estimate"],
                    "uncertainty": {
                        "confidence_interval": {
                            "lower": value["low"],
                            "upper": value["high"],
                            "confidence_level": 0.95,
                        },
                        "num_samples": counted(panel, behaviour),
                    },
                    "details": {
                        "trust": row["trust"],
                        "detector": data["detectors"][behaviour]["name"],
                        "status": data["detectors"][behaviour]["status"],
                    },
                },
            }
            for behaviour, panel in row["panels"].items()
            if (value := headline(panel, behaviour))
        ],
    }
