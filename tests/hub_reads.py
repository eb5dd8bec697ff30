"""Routes of the test Hub that only tell: who one is, and what a repo holds."""

from typing import Any
from urllib.parse import parse_qs

from hub_routes import Answer, Asked, Refused, route
from hub_state import WHEN, Discussion, Repo


@route("whoami", "GET", "/api/whoami-v2")
def whoami(asked: Asked) -> Answer:
    if asked.user is None:
        raise Refused(401, "", "Invalid username or password.")
    return Answer(body={"type": "user", "name": asked.user, "orgs": []})


@route("info", "GET", "/api/{type}/{id}(?:/revision/{rev})?")
def info(asked: Asked) -> Answer:
    asked.pieces.setdefault("rev", "main")
    repo, at = asked.repo(), asked.commit()
    said = {"id": repo.id, "sha": at.oid, "private": repo.private, "tags": []}
    if repo.type == "space":
        said["sdk"] = repo.sdk
    return Answer(body=said | {"siblings": [{"rfilename": path} for path in at.tree]})


@route("tree", "GET", "/api/{type}/{id}/tree/{rev}(?:/{path})?")
def tree(asked: Asked) -> Answer:
    at, under = asked.commit(), asked.pieces.get("path", "")
    entries: dict[str, dict[str, Any]] = {}
    for path, blob in sorted(at.tree.items()):
        if under and not path.startswith(under + "/"):
            continue
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if len(folder) > len(under):
                entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": "0" * 40}
        entries[path] = blob.entry(path)
    if under and not entries:
        raise Refused(404, "EntryNotFound", f"{under} does not exist")
    if asked.query.get("recursive", ["false"])[0].lower() != "true":
        deep = under.count("/") + 1 if under else 0
        entries = {path: entry for path, entry in entries.items() if path.count("/") == deep}
    return _paged(asked, list(entries.values()), asked.hub.page)


@route("paths-info", "POST", "/api/{type}/{id}/paths-info/{rev}")
def paths_info(asked: Asked) -> Answer:
    at = asked.commit()
    wanted = parse_qs(asked.body.decode())["paths"]  # a form, not JSON
    return Answer(body=[at.tree[path].entry(path) for path in wanted if path in at.tree])


@route("refs", "GET", "/api/{type}/{id}/refs")
def refs(asked: Asked) -> Answer:
    rows = [
        {"name": ref.split("/")[-1], "ref": ref, "targetCommit": oid}
        for ref, oid in asked.repo().refs.items()
    ]
    for row in rows:
        row["ref"] = row["ref"] if "/" in row["ref"] else f"refs/heads/{row['ref']}"
    heads = [row for row in rows if row["ref"].startswith("refs/heads/")]
    requests = [row for row in rows if row not in heads]
    said = {"branches": heads, "converts": [], "tags": [], "pullRequests": requests}
    return Answer(body=said)


@route("commits", "GET", "/api/{type}/{id}/commits/{rev}")
def commits(asked: Asked) -> Answer:
    asked.commit()
    rows = [
        {"id": c.oid, "title": c.title, "message": c.message, "date": WHEN}
        | {"authors": [{"user": c.author}]}
        for c in asked.repo().history(asked.pieces["rev"])
    ]
    return _paged(asked, rows, asked.hub.page)


def _paged(asked: Asked, rows: list[dict[str, Any]], size: int) -> Answer:
    """A page of a listing, with the Link to the next."""
    start = int(asked.query.get("cursor", ["0"])[0])
    headers = {}
    if start + size < len(rows):
        query = {k: v[0] for k, v in asked.query.items()} | {"cursor": str(start + size)}
        said = "&".join(f"{k}={v}" for k, v in query.items())
        headers["Link"] = f'<{asked.hub.url}{asked.path}?{said}>; rel="next"'
    return Answer(body=rows[start : start + size], headers=headers)


@route("discussions", "GET", "/api/{type}/{id}/discussions")
def discussions(asked: Asked) -> Answer:
    repo, start = asked.repo(), asked.hub.page * int(asked.query.get("p", ["0"])[0])
    status = asked.query.get("status", ["all"])[0]
    found = [d for d in repo.discussions if status in ("all", d.status)]
    rows = [_discussion(repo, d) for d in found[start : start + asked.hub.page]]
    return Answer(body={"discussions": rows, "count": len(found), "start": start})


def _discussion(repo: Repo, discussion: Discussion) -> dict[str, Any]:
    return {
        "num": discussion.num,
        "title": discussion.title,
        "author": {"name": discussion.author},
        "createdAt": WHEN,
        "status": discussion.status,
        "isPullRequest": True,
        "repo": {"name": repo.id, "type": repo.type},
    }


@route("discussion", "GET", "/api/{type}/{id}/discussions/{num}")
def discussion(asked: Asked) -> Answer:
    repo = asked.repo()
    found = repo.discussions[int(asked.pieces["num"]) - 1]
    stamp = {"createdAt": WHEN, "author": {"name": found.author}}
    said = {"edited": False, "hidden": False, "latest": {"raw": found.description}}
    head = repo.commits[repo.refs[f"refs/pr/{found.num}"]]
    events = [
        {"id": "1", "type": "comment", "data": said, **stamp},
        {"id": "2", "type": "commit", "data": {"subject": head.title, "oid": head.oid}, **stamp},
    ]
    changes = {"base": "refs/heads/main", "mergeCommitId": found.merged}
    body = _discussion(repo, found) | {"changes": changes, "events": events}
    return Answer(body=body | {"filesWithConflicts": []})


def resolve(asked: Asked) -> Answer:
    """A file with the headers that the client's cache wants; large ones lie on another host."""
    at, path = asked.commit(), asked.pieces["path"]
    if path not in at.tree:
        raise Refused(404, "EntryNotFound", f"{path} does not exist")
    blob = at.tree[path]
    headers = {"X-Repo-Commit": at.oid, "ETag": f'"{blob.oid}"'}
    if not blob.large:
        return Answer(body=blob.data, headers=headers)
    there = f"{asked.hub.url.replace('127.0.0.1', 'localhost')}/lfs/{blob.sha256}"
    linked = {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.data))}
    return Answer(302, b"", headers | linked | {"Location": there})


@route("get", "GET", "/lfs/{oid}")
def get(asked: Asked) -> Answer:
    return Answer(body=asked.hub.objects[asked.pieces["oid"]])


for method in ("GET", "HEAD"):
    route("resolve", method, "/(?:{type}/)?{id}/resolve/{rev}/(?P<path>.+)")(resolve)
