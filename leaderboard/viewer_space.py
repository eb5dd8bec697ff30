"""Inspect's viewer with the logs it shows, as the files of a static Space."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from panelist.panels.errors import PanelistError

_CONTEXT = re.compile(r'(<script id="log_dir_context" type="application/json">)(.*?)(</script>)')


@contextmanager
def bundled(logs: Path) -> Iterator[Path]:
    """A folder with viewer and logs, which exists inside the `with`.

    Inspect can upload its bundle itself, in several commits and without looking whether the last
    try went through; so it only makes the files here.

    Args:
        logs: folder of Inspect logs.

    Raises:
        PanelistError: where it holds none.
    """
    if not logs_in(logs):
        raise PanelistError(f"{logs}: no Inspect logs there; give the --log-dir of a run")
    from inspect_ai.log import bundle_log_dir

    with TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "viewer"
        with redirect_stdout(StringIO()):
            bundle_log_dir(str(logs), str(bundle))
        _forget_path(bundle / "index.html")
        yield bundle


def logs_in(folder: Path) -> bool:
    """Whether a folder holds Inspect logs, at any depth."""
    return any(folder.rglob("*.eval")) or any(folder.rglob("*_*_*.json"))


def _forget_path(page: Path) -> None:
    """Take the folder's absolute path, with the name of its user, out of a page that is public."""

    def without(found: re.Match[str]) -> str:
        context = json.loads(found[2])
        context.pop("abs_log_dir", None)
        return found[1] + json.dumps(context) + found[3]

    page.write_text(_CONTEXT.sub(without, page.read_text(encoding="utf-8")), encoding="utf-8")
