"""Routes of the test Hub that make something: repos, large files, commits and pull requests."""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from hub_routes import Answer, Asked, Refused, route
from hub_state import WHEN, Blob, Discussion


@route("create", "POST", "/api/repos/create")
def create(asked: Asked) -> Answer:
    said = asked.json
    type, space = said.get("type", "model"), said["organization"] or asked.user
    id = f"{space}/{said['name']}"
    if space not in asked.spaces:
        raise Refused(403, "", f"You may not create repos in {space}")
    url = f"{asked.hub.url}/{id}" if type == "model" else f"{asked.hub.url}/{type}s/{id}"
    if (type, id) in asked.hub.repos:
        raise Refused(409, "", "You already created this repo", url=url)
    private = said.get("visibility") == "private" or bool(said.get("private"))
    asked.hub.add(type, id, private, said.get("sdk"))
    return Answer(body={"url": url})


@route("validate", "POST", "/api/validate-yaml")
def validate(asked: Asked) -> Answer:
    said = asked.json
    sdk = re.search(r"\A---\n(.*\n)?sdk: \w+\n(.*\n)?---", said["content"], re.DOTALL)
    if said["repoType"] == "space" and not sdk:
        return Answer(400, {"errors": [{"message": '"sdk" is required'}], "warnings": []})
    return Answer(body={"errors": [], "warnings": []})


@route("preupload", "POST", "/api/{type}/{id}/preupload/{rev}")
def preupload(asked: Asked) -> Answer:
    asked.repo(write="create_pr" not in asked.query)
    tree, files = asked.commit().tree, []
    for file in asked.json["files"]:
        path = file["path"]
        large = path.endswith(".parquet") or file["size"] > asked.hub.large
        entry = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        if path in tree:
            entry["oid"] = tree[path].sha256 if tree[path].large else tree[path].oid
        files.append(entry)
    return Answer(body={"files": files})


@route("batch", "POST", r"/(?:{type}/)?{id}\.git/info/lfs/objects/batch")
def batch(asked: Asked) -> Answer:
    # A pull request may bring large files to a repo that one cannot write to: no ref is named then.
    asked.repo(write="ref" in asked.json)
    objects = []
    for wanted in asked.json["objects"]:
        entry = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in asked.hub.objects:
            upload = {"href": f"{asked.hub.url}/lfs/{wanted['oid']}", "header": {}}
            verify = {"href": f"{asked.hub.url}/lfs-verify", "header": {}}
            entry["actions"] = {"upload": upload, "verify": verify}
        objects.append(entry)
    return Answer(body={"transfer": "basic", "objects": objects})


@route("put", "PUT", "/lfs/{oid}")
def put(asked: Asked) -> Answer:
    if Blob(asked.body).sha256 != asked.pieces["oid"]:
        raise Refused(400, "", "the content has another sha256")
    asked.hub.objects[asked.pieces["oid"]] = asked.body
    return Answer()


@route("verify", "POST", "/lfs-verify")
def verify(asked: Asked) -> Answer:
    there = asked.hub.objects.get(asked.json["oid"])
    if there is None or len(there) != asked.json["size"]:
        raise Refused(404, "", "this object was not uploaded")
    return Answer()


@route("commit", "POST", "/api/{type}/{id}/commit/{rev}")
def commit(asked: Asked) -> Answer:
    pr = "create_pr" in asked.query
    repo, head = asked.repo(write=not pr), asked.commit()
    lines = [json.loads(line) for line in asked.body.splitlines()]
    said, parent = lines[0]["value"], lines[0]["value"].get("parentCommit")
    if pr and parent:
        # A pull request starts where its parent is, wherever main has gone.
        head = repo.at(parent) or head
    elif parent and parent != head.oid:
        raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
    tree = _changed(asked, dict(head.tree), lines[1:])
    ref = unquote(asked.pieces["rev"])
    answered = {}
    if pr:
        num = len(repo.discussions) + 1
        asked_for = Discussion(num, said["summary"], said["description"], str(asked.user))
        repo.discussions.append(asked_for)
        ref = f"refs/pr/{num}"
        answered["pullRequestUrl"] = f"{asked.hub.url}/{repo.type}s/{repo.id}/discussions/{num}"
    made = repo.commit(
        ref, said["summary"], said["description"], str(asked.user), tree, parent=head.oid
    )
    url = f"{asked.hub.url}/{repo.type}s/{repo.id}/commit/{made.oid}"
    return Answer(body={"success": True, "commitOid": made.oid, "commitUrl": url, **answered})


def _changed(
    asked: Asked, tree: dict[str, Blob], operations: list[dict[str, Any]]
) -> dict[str, Blob]:
    """A tree after the operations of a commit."""
    for operation in operations:
        key, value = operation["key"], operation["value"]
        path = value["path"]
        if key == "file":
            tree[path] = Blob(base64.b64decode(value["content"], validate=True))
        elif key == "lfsFile":
            if value["oid"] not in asked.hub.objects:
                raise Refused(400, "", f"{path}: its content was not uploaded")
            tree[path] = Blob(asked.hub.objects[value["oid"]], large=True)
        elif key == "deletedFile":
            if path not in tree:
                raise Refused(404, "EntryNotFound", "A file with this name doesn't exist")
            del tree[path]
        else:
            raise Refused(400, "", f"the test Hub does not know the operation {key}")
    return tree


@route("status", "POST", "/api/{type}/{id}/discussions/{num}/status")
def status(asked: Asked) -> Answer:
    found = asked.repo().discussions[int(asked.pieces["num"]) - 1]
    if asked.user != found.author:
        asked.repo(write=True)
    found.status = asked.json["status"]
    stamp = {"createdAt": WHEN, "author": {"name": asked.user}}
    event = {"id": "3", "type": "status-change", "data": {"status": found.status}, **stamp}
    return Answer(body={"newStatus": event})


@route("merge", "POST", "/api/{type}/{id}/discussions/{num}/merge")
def merge(asked: Asked) -> Answer:
    asked.repo(write=True).merge(int(asked.pieces["num"]))
    return Answer(body={})
