"""The board as a folder of static files, which a browser, a Space or any web server shows.

SITE/
    index.html, board.json, board.csv, board.parquet
    checkpoints/<submission>.html
    boards/index.html, versions.json   every board that was built into this site
    boards/<version>/                  each of them whole, where it can always be found again
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from panelist.leaderboard.board import Board
from panelist.leaderboard.board_csv import to_csv, to_frame
from panelist.leaderboard.older_boards import FOLDER as BOARDS
from panelist.leaderboard.older_boards import facts_of, list_of
from panelist.leaderboard.page import render_board, render_checkpoint
from panelist.panels.errors import PanelistError

INDEX, DATA, CHECKPOINTS = "index.html", "board.json", "checkpoints"


def write_site(board: Board, output: Path) -> Path:
    """Write a board's site, whole or not at all; boards that were there stay in `boards/`.

    Args:
        board: to show.
        output: folder; new, empty, or a site.

    Raises:
        PanelistError: something else lies there.
    """
    if output.exists() and not (output / DATA).exists() and any(output.iterdir()):
        raise PanelistError(
            f"{output}: holds something that is no board; name a new folder with -o"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        _write(board, new)
        if (output / BOARDS).is_dir():
            shutil.copytree(output / BOARDS, new / BOARDS)
        own = new / BOARDS / board.data["version"]
        shutil.rmtree(own, ignore_errors=True)
        # The same files, but for the way back to the other boards.
        shutil.copytree(new, own, ignore=shutil.ignore_patterns(BOARDS))
        _text(own / INDEX, render_board(board.data, older=f"../{INDEX}"))
        found = [json.loads(path.read_bytes()) for path in (new / BOARDS).glob(f"*/{DATA}")]
        for path, content in list_of(map(facts_of, found)).items():
            (new / path).write_bytes(content)
        new.chmod(0o755)
        if output.exists():
            output.rename(old)
        new.rename(output)
    return output / INDEX


def _write(board: Board, folder: Path) -> None:
    data = board.data
    _text(folder / INDEX, render_board(data, older=f"{BOARDS}/{INDEX}"))
    # Keys stay in their order, which is that of the page.
    _text(folder / DATA, json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    _text(folder / "board.csv", to_csv(data))
    pq.write_table(
        pa.Table.from_pandas(to_frame(data), preserve_index=False), folder / "board.parquet"
    )
    (folder / CHECKPOINTS).mkdir()
    for row in data["rows"]:
        page = render_checkpoint(row, data, board.chains[row["id"]])
        _text(folder / CHECKPOINTS / f"{row['id']}.html", page)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
