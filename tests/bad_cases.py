"""One bad submission, or more, for every code of `panelist.leaderboard.fault_codes`."""

import gzip
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bad_submissions import (
    DAY,
    Draft,
    bytes_as_transcripts,
    case,
    cell,
    drafted,
    good_submission,
    placed,
    put,
    raw_manifest,
    run_field,
    touched,
)

from panelist.leaderboard.submission import MANIFEST, RUN, SCHEMA, TRANSCRIPTS, canonical

LONG_TEXT = "The same long reply, word for word, whatever was asked. " * 6


def _swap(folder: Path, name: str, other: str) -> None:
    (folder / name).rename(folder / other)


def _flip(folder: Path) -> None:
    data = bytearray((folder / TRANSCRIPTS).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / TRANSCRIPTS).write_bytes(data)


def _link(folder: Path) -> None:
    target = folder.parent / "elsewhere"
    (folder / RUN).rename(target)
    (folder / RUN).symlink_to(target)


# The folder and its files.
case("missing-file", "no-run-record")(touched(lambda f: (f / RUN).unlink()))
case("missing-file", "folder-of-submissions")(lambda parent: good_submission(parent).parent)
case("extra-file", "readme-too")(touched(lambda f: (f / "README.md").write_text("hello")))
case("extra-file", "parent-path")(touched(lambda f: (f / "..\\evil").write_text("hello")))
case("case-collision", "manifest-twice")(touched(lambda f: (f / "Manifest.json").write_text("{}")))
case("not-plain-file", "symbolic-link")(touched(_link))
case("not-plain-file", "pipe")(touched(lambda f: ((f / RUN).unlink(), os.mkfifo(f / RUN))))
case("hard-link", "hard-link")(touched(lambda f: os.link(f / RUN, f.parent / "twin")))
case("empty-file", "empty-transcripts")(touched(lambda f: (f / TRANSCRIPTS).write_bytes(b"")))
case("file-too-large", "large-manifest")(
    touched(lambda f: (f / MANIFEST).write_bytes(b" " * 300_000))
)
case("folder-name", "renamed")(
    lambda parent: good_submission(parent).rename(parent / "smollm2-135m-instruct-0123456789ab")
)
case("size-mismatch", "longer-transcripts")(
    touched(lambda f: (f / TRANSCRIPTS).write_bytes((f / TRANSCRIPTS).read_bytes() + b"PAR1"))
)
case("sha256-mismatch", "flipped-bit")(touched(_flip))

# JSON.
case("not-json", "quotes")(raw_manifest(lambda d: b'\\"' * 127_000))
case("not-utf8", "latin-1")(raw_manifest(lambda d: d.replace(b"made up", b"\xe9t\xe9")))
case("not-json", "cut-off")(raw_manifest(lambda d: d[:-20]))
case("duplicate-key", "key-twice")(raw_manifest(lambda d: b'{"format":1,' + d[1:]))
case("not-finite", "nan")(raw_manifest(lambda d: d.replace(b"0.95", b"NaN")))
case("not-finite", "huge")(raw_manifest(lambda d: d.replace(b"0.95", b"1e999")))
case("not-finite", "huge-integer")(
    raw_manifest(lambda d: d.replace(b'"replies":2', b'"replies":' + b"9" * 400))
)
case("too-deep", "deep")(raw_manifest(lambda d: d.replace(b'"made up"', b"[" * 5000 + b"]" * 5000)))
case("bad-character", "byte-order-mark")(raw_manifest(lambda d: b"\xef\xbb\xbf" + d))
case("bad-character", "nul")(raw_manifest(lambda d: d.replace(b"made up", b"a\\u0000b")))
case("bad-character", "lone-surrogate")(raw_manifest(lambda d: d.replace(b"made up", b"\\ud800")))
drafted("bad-character", "arabic-mark", put("hardware", value="two\u061c cores"))
drafted("bad-character", "line-separator", put("hardware", value="two\u2028cores"))
drafted("bad-character", "bidi-name", put("submitter", value="evil\u202eteam"))
drafted("bad-character", "nul-in-reply", cell(1, "text", "a\x00b"))
case("not-nfc", "decomposed")(raw_manifest(lambda d: d.replace(b"made up", "e\u0301t".encode())))
case("not-canonical", "spaces")(raw_manifest(lambda d: d.replace(b'":', b'": ')))
drafted("unknown-key", "claimed-score", put("scores", value={"hedging": 0.9}))
drafted("missing-key", "no-licence", lambda d: d.manifest.pop("licence"))
drafted("wrong-type", "list-as-text", put("submitter", value=["a"]))
drafted("bool-as-number", "true-as-count", put("panels", "hedging", "failed", value=True))
drafted("numeric-string", "text-as-count", put("panels", "hedging", "seeds", value="24"))
drafted("text-too-long", "long-hardware", put("hardware", value="x" * 300))

# What was run.
drafted("unknown-format", "format-2", put("format", value=2))
drafted("unknown-benchmark", "benchmark-0", put("benchmark", value="0.9"))
drafted("prompt-changed", "other-prompt", put("prompt_sha256", value="0" * 64))
drafted("package-too-old", "old-package", put("package", "version", value="0.0.9"))
drafted("package-too-old", "markup-version", put("package", "version", value="0.1.0<b>"))
drafted("package-too-old", "arabic-version", put("package", "version", value="٠.١.٠"))
drafted("dirty-package", "edited-checkout", put("package", "dirty", value=True))
drafted("bad-name", "markup-as-name", put("submitter", value="<script>alert(1)</script>"))
drafted("not-ascii-id", "cyrillic", put("checkpoint", "name", value="smоllm2-135m-instruct"))
drafted("unregistered-checkpoint", "nobody", put("checkpoint", "name", value="my-own-model"))
drafted("wrong-label", "other-recipe", put("checkpoint", "recipe", value="rlvr"))
drafted("wrong-label", "other-family", put("checkpoint", "family", value="llama"))
drafted("bad-model", "no-provider", put("checkpoint", "model", value="smollm2"))
drafted("bad-model", "way-up", put("checkpoint", "model", value="panelist/../../etc/passwd"))
drafted("bad-model", "from-the-root", put("checkpoint", "model", value="panelist//etc/passwd"))


def _loaded_by(provider: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.manifest["checkpoint"]["model"] = f"{provider}/org/name"
        draft.manifest["runtime"]["engine"] = provider

    return change


def _other_repository(draft: Draft) -> None:
    draft.manifest["checkpoint"]["model"] = "vllm/meta-llama/Llama-3.1-8B-Instruct"
    draft.manifest["checkpoint"]["weights"] = {"kind": "revision", "value": "a" * 40}
    draft.manifest["runtime"]["engine"] = "vllm"


drafted("bad-model", "unseen-weights", _loaded_by("openrouter"))
drafted("bad-model", "unseen-local-weights", _loaded_by("ollama"))
drafted("wrong-model", "other-repository", _other_repository)
drafted("engine-mismatch", "other-engine", put("runtime", "engine", value="vllm"))
drafted("weights-kind", "api-of-open-weights", put("checkpoint", "weights", "kind", value="api"))


@case("revision-not-pinned", "main")
def _branch(parent: Path) -> Path:
    draft = Draft("qwen2.5-0.5b")
    draft.manifest["checkpoint"]["weights"] = {"kind": "revision", "value": "main"}
    return draft.seal(parent)


drafted("revision-not-pinned", "two-hashes", put("runtime", "weights_sha256", value="cd" * 32))
drafted("revision-not-pinned", "no-hash", put("runtime", "chat_template_sha256", value="chatml"))


def _closed(name: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        weights = {"kind": "api", "value": name}
        draft.manifest["checkpoint"] |= {"model": f"openai/{name}", "weights": weights}
        draft.manifest["runtime"]["engine"] = "openai"

    return change


drafted("revision-not-pinned", "latest", _closed("gpt-4o-latest"))
drafted("revision-not-pinned", "undated", _closed("gpt-4o"))
drafted("bad-url", "javascript", put("source", value="javascript:alert(1)"))
drafted("bad-url", "credentials", put("source", value="https://user:pw@example.org/"))
drafted("bad-url", "plain-http", put("source", value="http://example.org/"))
drafted("licence", "no-derivatives", put("licence", value="CC-BY-ND-4.0"))
drafted("attestation", "not-attested", put("attestations", "unedited", value=False))
drafted("sampling-off-protocol", "hot", put("sampling", "temperature", value=1.0))
drafted("sampling-off-protocol", "short", put("sampling", "max_tokens", value=100))
drafted("sampling-off-protocol", "boundless", put("sampling", "max_tokens", value=10**14))
drafted("base-seed-off", "lucky-seed", put("base_seed", value=42))
drafted("base-seed-off", "no-seed", put("base_seed", value=None))
drafted(
    "unknown-panel",
    "other-panel",
    lambda d: d.manifest.update(panels={"wit": d.manifest["panels"]["hedging"]}),
)
drafted("unknown-panel", "panel-in-rows", cell(383, "panel", "wit"))
drafted("wrong-bank", "other-bank", put("panels", "hedging", "bank_sha256", value="0" * 64))
drafted("wrong-tier", "own-tier", put("panels", "hedging", "tier", value="24x2"))
drafted("counts-mismatch", "more-seeds", put("panels", "hedging", "seeds", value=200))
drafted("counts-mismatch", "unlisted-failures", put("panels", "hedging", "failed", value=3))
drafted("runs-mismatch", "two-runs", lambda d: d.run["runs"].append(dict(d.run["runs"][0])))
drafted(
    "unknown-panel",
    "failed-elsewhere",
    lambda d: d.run["failed"].append(
        {"panel": "repair", "partner": "x", "seed": "y", "replicate": 1, "error": ""}
    ),
)


def _raw_run(data: bytes) -> Callable[[Path], Path]:
    """The bytes of a run record that is as large as it may be."""

    def make(parent: Path) -> Path:
        draft = Draft()
        good = draft.seal(parent / "good")
        draft.manifest["files"][RUN] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
        texts = (good / TRANSCRIPTS).read_bytes()
        return placed(parent, canonical(draft.manifest), data, texts)

    return make


_MANY = ",".join(f'"{n:06}":1' for n in range(180_000))
case("duplicate-key", "last-of-many")(_raw_run(f'{{{_MANY},"179999":1}}'.encode()))
_BELLS = ",".join(f'"\\u0007{n:06}":1' for n in range(110_000))
case("bad-character", "bell-in-many-keys")(_raw_run(f"{{{_BELLS}}}".encode()))
case("wrong-type", "many-failures")(
    _raw_run(b'{"failed":[' + b"1," * 950_000 + b'1],"output_tokens":1,"runs":[]}')
)
drafted("wrong-type", "negative-tokens", lambda d: d.run.update(output_tokens=-1))
drafted("bad-time", "yesterday", run_field("started", "yesterday"))
drafted("bad-time", "year-1", run_field("started", "0001-01-01T00:00:00+14:00"))
drafted("bad-time", "epoch", run_field("completed", "1970-01-01T00:00:00Z"))
drafted("bad-time", "new-year-elsewhere", run_field("started", "2026-01-01T00:00:00+01:00"))
drafted("time-in-future", "year-9999", run_field("completed", "9999-12-31T23:59:59-14:00"))
drafted("naive-time", "no-offset", run_field("started", f"{DAY}T10:00:00"))
drafted("time-in-future", "next-century", run_field("completed", "2126-01-01T00:00:00+00:00"))
drafted("time-not-monotone", "backwards", run_field("completed", f"{DAY}T09:00:00+00:00"))


# The transcripts.
def _parquet(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue().to_pybytes())


def _rows() -> pa.Table:
    return pa.Table.from_pylist(Draft().rows, SCHEMA)


def _with(name: str, column: Any, kind: Any = None) -> pa.Table:
    table = _rows()
    at = table.schema.get_field_index(name)
    return table.set_column(at, name if kind is None else kind, column)


@case("archive-inside", "gzip")
def _gzip(parent: Path) -> Path:
    return bytes_as_transcripts(gzip.compress(_parquet(_rows()), mtime=0))(parent)


case("archive-inside", "zip")(bytes_as_transcripts(b"PK\x03\x04" + b"\0" * 100))
case("not-parquet", "text-as-parquet")(bytes_as_transcripts(b"a,b\n1,2\n"))
case("not-parquet", "garbage-footer")(
    lambda parent: bytes_as_transcripts(b"PAR1" + b"\xff" * 400 + b"\x90\1\0\0PAR1")(parent)
)
case("parquet-truncated", "no-end")(
    lambda parent: bytes_as_transcripts(_parquet(_rows())[:-4])(parent)
)
case("parquet-encrypted", "encrypted-footer")(bytes_as_transcripts(b"PARE" + b"\0" * 60 + b"PARE"))


case("not-parquet", "three-bytes")(bytes_as_transcripts(b"PAR"))
case("parquet-truncated", "four-bytes")(bytes_as_transcripts(b"PAR1"))


def _noted(draft: Draft) -> None:
    table = pa.Table.from_pylist(draft.rows, SCHEMA)
    draft.table = table.replace_schema_metadata({"note": "sk-" + "a1B2" * 10})


drafted("unknown-key", "footer-note", _noted)


@case("parquet-bomb", "bomb-long-text")
def _bomb(parent: Path) -> Path:
    """A few kilobytes that expand to 50 GB: one text of 1 MB in 50,000 rows."""
    count = 50_000
    huge = pa.DictionaryArray.from_arrays(
        pa.array([0] * count, pa.int32()), pa.array(["A" * 1_000_000])
    )
    return bytes_as_transcripts(_bomb_of(count, huge), count)(parent)


@case("parquet-bomb", "bomb-one-text")
def _one_text(parent: Path) -> Path:
    """One text of 100 MB."""
    draft = Draft()
    draft.rows[1]["text"] = "a" * 100_000_000
    return draft.seal(parent)


@case("parquet-bomb", "bomb-many-texts")
def _wide_bomb(parent: Path) -> Path:
    """Texts of an honest length, too many of them: 150,000 times 190 kB."""
    count = 150_000
    huge = pa.DictionaryArray.from_arrays(
        pa.array([0] * count, pa.int32()), pa.array(["A" * 190_000])
    )
    return bytes_as_transcripts(_bomb_of(count, huge), count)(parent)


def _bomb_of(count: int, text: pa.Array) -> bytes:
    one = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x"]))
    numbers = pa.array([1] * count)
    columns = [
        text
        if field.name == "text"
        else one
        if field.type == pa.string()
        else numbers.cast(field.type)
        for field in SCHEMA
    ]
    table = pa.table(columns, names=SCHEMA.names)
    # Without Arrow's own schema in the footer the columns say that they are plain strings.
    return _parquet(table, compression="zstd", store_schema=False)


case("nested-type", "list-column")(
    lambda p: bytes_as_transcripts(
        _parquet(_with("text", pa.array([["a"]] * 384, pa.list_(pa.string()))))
    )(p)
)
case("wrong-column", "score-column")(
    lambda p: bytes_as_transcripts(
        _parquet(_rows().append_column("hedging", pa.array([1.0] * 384)))
    )(p)
)
case("wrong-column", "no-reasoning")(
    lambda p: bytes_as_transcripts(_parquet(_rows().drop_columns(["reasoning"])))(p)
)
case("wrong-column-type", "text-as-turn")(
    lambda p: bytes_as_transcripts(_parquet(_with("turn", pa.array(["1", "2"] * 192))))(p)
)
case("wrong-column-type", "binary-text")(
    lambda p: bytes_as_transcripts(_parquet(_with("text", pa.array([b"\xff\xfe"] * 384))))(p)
)
case("wrong-column-type", "null-text")(
    lambda p: bytes_as_transcripts(_parquet(_with("text", pa.array([None] * 384, pa.string()))))(p)
)


@case("too-many-rows", "many-rows")
def _many(parent: Path) -> Path:
    table = pa.concat_tables([_rows()] * 600)
    return bytes_as_transcripts(_parquet(table, compression="zstd"), len(table))(parent)


case("row-count", "fewer-rows")(lambda p: bytes_as_transcripts(_parquet(_rows().slice(0, 380)))(p))
drafted("rows-not-sorted", "shuffled", lambda d: d.rows.reverse())
drafted("duplicate-turn", "turn-twice", lambda d: d.rows.insert(1, dict(d.rows[0])))


def _partner(draft: Draft) -> None:
    for one in draft.rows[:96]:
        one["partner"] = "scripted-Aloud"


drafted("unknown-partner", "own-partner", _partner)


def _third(draft: Draft) -> None:
    more = [dict(one, replicate=3) for one in draft.rows[2:4]]
    draft.rows[4:4] = more


drafted("extra-chain", "third-replicate", _third)
drafted("grid-incomplete", "dropped-chain", lambda d: d.rows.__delitem__(slice(10, 12)))


def _fail(draft: Draft, chains: int, *, keep: bool = False) -> None:
    picked = [draft.rows[2 * number] for number in range(chains)]
    fields = ("panel", "partner", "seed", "replicate")
    draft.run["failed"] = [{**{k: one[k] for k in fields}, "error": "boom"} for one in picked]
    draft.manifest["panels"]["hedging"]["failed"] = chains
    if not keep:
        del draft.rows[: 2 * chains]


drafted("failed-and-present", "failed-but-there", lambda d: _fail(d, 1, keep=True))
drafted("too-many-failed", "twenty-failed", lambda d: _fail(d, 20))
drafted("turn-order", "no-opening", lambda d: d.rows.__delitem__(0))
drafted("turn-order", "third-turn", lambda d: d.rows.insert(2, dict(d.rows[1], turn=3)))
drafted("wrong-role", "roles-swapped", cell(1, "role", "partner"))
drafted("wrong-speaker", "somebody-else", cell(1, "speaker", "gpt-4o"))
drafted("partner-words-changed", "sweetened", cell(0, "text", "I am sure. It is so."))
drafted("chain-id", "other-chain", cell(1, "chain", "0" * 32))
drafted("unknown-status", "status-in-prose", run_field("status", "../.."))
drafted("bad-character", "bidi-in-prose", put("hardware", value="two \u202ecores"))
drafted("stop-reason", "tool-call", cell(1, "stop_reason", "tool_calls"))


def _never_cut(draft: Draft) -> None:
    for one in draft.rows[1::2]:
        one["output_tokens"] = 384


drafted("stop-reason", "never-cut", _never_cut)
drafted("stop-reason", "over-the-limit", cell(1, "output_tokens", 400))
drafted("stop-reason", "cut-off-early", cell(1, "stop_reason", "max_tokens"))
drafted("stop-reason", "spoken-partner", cell(0, "stop_reason", "stop"))


def _silent(draft: Draft, rows: list[int]) -> None:
    for number in rows:
        draft.rows[number] |= {"text": " ", "output_tokens": 0}
        draft.rows[number]["text"] = ""


drafted("too-many-empty", "silent", lambda d: _silent(d, list(range(1, 384, 4))))
# Both replies of five seeds to one partner: 10 of 192 are empty, and 19 seeds stay.
drafted(
    "too-few-seeds",
    "nineteen-seeds",
    lambda d: _silent(d, [4 * n + t for n in range(5) for t in (1, 3)]),
)


def _parrot(draft: Draft) -> None:
    for one in draft.rows[1:200:2]:
        one["text"] = LONG_TEXT


drafted("shared-text", "parrot", _parrot)
drafted("secret-in-text", "token-in-reply", cell(1, "text", "Use hf_" + "a" * 34 + " for it."))
drafted("personal-data", "home-path", put("hardware", value="models in /Users/alice on a laptop"))
drafted("personal-data", "e-mail", put("hardware", value="ask alice@example.org"))


# Beside other submissions: made together with what they repeat, which lies in `others`.
@case("duplicate-manifest", "again")
def _again(parent: Path) -> Path:
    folder = good_submission(parent)
    shutil.copytree(folder, parent / "others" / folder.name)
    return folder


@case("duplicate-transcripts", "same-transcripts")
def _same(parent: Path) -> Path:
    good_submission(parent / "others")
    draft = Draft()
    draft.manifest["hardware"] = "another machine"
    return draft.seal(parent)


@case("duplicate-transcripts", "compressed-anew")
def _anew(parent: Path) -> Path:
    good_submission(parent / "others")
    return bytes_as_transcripts(_parquet(_rows(), compression="gzip"))(parent)


@case("not-plain-file", "link-to-folder")
def _linked(parent: Path) -> Path:
    folder = good_submission(parent / "elsewhere")
    link = parent / folder.name
    link.symlink_to(folder)
    return link


@case("shared-text", "copied-with-a-space")
def _spaced(parent: Path) -> Path:
    other, own = Draft("smollm2-135m-hedged"), Draft()
    for number, (mine, theirs) in enumerate(zip(own.rows, other.rows, strict=True)):
        if number % 2:
            theirs["text"] = f"{number} is what I say to that. " * 12
            mine["text"] = theirs["text"].replace("is", " is").upper()
    other.seal(parent / "others")
    return own.seal(parent)


@case("shared-text", "copied-replies")
def _copied(parent: Path) -> Path:
    other = Draft("smollm2-135m-hedged")
    own = Draft()
    for number, (mine, theirs) in enumerate(zip(own.rows, other.rows, strict=True)):
        if number % 2:
            mine["text"] = theirs["text"] = f"{number} is what I say to that. " * 12
    other.seal(parent / "others")
    return own.seal(parent)
