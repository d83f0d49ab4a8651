"""A stand-in for the Hugging Face Hub on 127.0.0.1: its repositories are made, filled and read by HTTP."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml


@contextmanager
def hub() -> Iterator["Hub"]:
    """Run a stand-in for the Hugging Face Hub on 127.0.0.1; yield it."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hub(ThreadingHTTPServer):
    """As much of the Hub's HTTP interface as making, filling and reading repositories takes.

    Files with the endings of the Hub's ``.gitattributes`` are uploaded as git-lfs does it, others within the
    commit. Cards are checked by the rules that hub-docs states for the keys kinefract writes.

    Attributes:
        repositories: By ``models/owner/name`` or ``datasets/owner/name``.
        asked: Methods and paths of all requests.
    """

    LARGE = (".safetensors", ".tar", ".mp4", ".png")
    TOKEN = "hf_test"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@dataclass
class Repository:
    """A repository of the stand-in: the files of each commit, the last one at the end."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        oid = hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits[oid] = files
        return oid

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        oid = next(reversed(self.commits)) if revision == "main" else revision
        return (oid, self.commits[oid]) if oid in self.commits else None


LICENSES = {"apache-2.0", "mit", "cc-by-4.0", "cc0-1.0", "other"}
TASKS = {"video-classification", "image-classification", "other"}
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}


def card_errors(kind: str, content: str) -> list[str]:
    """Return what the Hub would object to in a card's metadata, by the documentation in hub-docs."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if not match:
        return ["empty or missing yaml metadata"]
    data = yaml.safe_load(match[1])
    known = {
        "license": LICENSES,
        "pipeline_tag": TASKS,
        "task_categories": TASKS,
        "size_categories": SIZES,
    }
    errors = []
    for key, values in known.items():
        given = data.get(key, [])
        for value in given if isinstance(given, list) else [given]:
            if value not in values:
                errors.append(f'"{key}" must be one of {sorted(values)}, got {value}')
    if any(not isinstance(tag, str) or not tag for tag in data.get("tags", [])):
        errors.append('"tags" must be an array of strings')
    for model in data.get("model-index", []):
        for result in model["results"]:
            for part, keys in (("task", ["type"]), ("dataset", ["type", "name"])):
                errors += [
                    f"model-index: {part}.{key} is required" for key in keys if not result[part].get(key)
                ]
            for metric in result["metrics"]:
                if not metric.get("type") or "value" not in metric:
                    errors.append("model-index: metrics need a type and a value")
    if kind == "dataset":
        for config in data.get("configs", []):
            if not config.get("config_name") or not all("path" in files for files in config["data_files"]):
                errors.append("configs: wants config_name and data_files with a path each")
    return errors


class _HubHandler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def _answer(self, method: str) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{method} {path}")
        if method == "PUT":
            self.server.objects[path.rpartition("/")[2]] = body
            return self._send(200, {})
        if path == "/api/validate-yaml":
            asked = json.loads(body)
            errors = card_errors(asked["repoType"], asked["content"])
            listed = [{"message": error} for error in errors]
            return self._send(400 if errors else 200, {"errors": listed, "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        for pattern, answer in (
            (r"/api/(?P<at>\w+/[^/]+/[^/]+)/preupload/(?P<rev>[^/]+)", self._preupload),
            (r"/(?P<at>(?:datasets/)?[^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"/api/(?P<at>\w+/[^/]+/[^/]+)/commit/(?P<rev>[^/]+)", self._commit),
            (r"/api/(?P<at>\w+/[^/]+/[^/]+)/tree/(?P<rev>[^/]+)", self._tree),
            (r"/api/(?P<at>\w+/[^/]+/[^/]+)(?:/revision/(?P<rev>[^/]+))?", self._info),
            (r"/(?P<at>(?:datasets/)?[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<file>.+)", self._resolve),
        ):
            if match := re.fullmatch(pattern, path):
                found = match.groupdict()
                at = found["at"] if found["at"].count("/") == 2 else f"models/{found['at']}"
                repository = self.server.repositories.get(at)
                if repository is None or (repository.private and not self._authorised()):
                    return self._send(
                        404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
                    )
                return answer(repository, found, body)
        return self._send(404, {"error": f"no such address: {path}"})

    def _authorised(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {Hub.TOKEN}"

    def _create(self, asked: dict) -> None:
        at = f"{asked.get('type') or 'model'}s/{asked.get('organization') or 'me'}/{asked['name']}"
        if not self._authorised():
            return self._send(401, {"error": "Invalid username or password."})
        url = f"{self.server.address}/{at.removeprefix('models/')}"
        if at in self.server.repositories:
            return self._send(409, {"error": "You already created this repo", "url": url})
        private = asked.get("visibility") == "private"
        self.server.repositories[at] = Repository(private)
        self.server.repositories[at].commit({".gitattributes": b""})
        return self._send(200, {"url": url, "id": "1"})

    def _preupload(self, repository: Repository, found: dict, body: bytes) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(Hub.LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self._send(200, {"files": files, "commitOid": next(reversed(repository.commits))})

    def _batch(self, repository: Repository, found: dict, body: bytes) -> None:
        objects = [
            {
                **asked,
                "actions": {"upload": {"href": f"{self.server.address}/lfs/{asked['oid']}"}},
            }
            for asked in json.loads(body)["objects"]
        ]
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repository: Repository, found: dict, body: bytes) -> None:
        if not self._authorised():
            return self._send(401, {"error": "Invalid username or password."})
        files = dict(next(reversed(repository.commits.values())))
        for line in body.decode().splitlines():
            operation = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    content = self.server.objects[value["oid"]]
                    assert hashlib.sha256(content).hexdigest() == value["oid"]
                    files[value["path"]] = content
                case "deletedFile":
                    del files[value["path"]]
        oid = repository.commit(files)
        url = f"{self.server.address}/{found['at'].removeprefix('models/')}/commit/{oid}"
        return self._send(200, {"commitUrl": url, "commitOid": oid})

    def _tree(self, repository: Repository, found: dict, body: bytes) -> None:
        _, files = repository.at(found["rev"]) or ("", {})
        self._send(
            200,
            [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in files.items()
            ],
        )

    def _info(self, repository: Repository, found: dict, body: bytes) -> None:
        oid, files = repository.at(found["rev"] or "main") or ("", {})
        siblings = [{"rfilename": path} for path in files]
        self._send(
            200,
            {
                "id": found["at"].partition("/")[2],
                "sha": oid,
                "private": repository.private,
                "siblings": siblings,
            },
        )

    def _resolve(self, repository: Repository, found: dict, body: bytes) -> None:
        there = repository.at(found["rev"])
        if there is None:
            return self._send(404, {"error": "Invalid rev"}, {"X-Error-Code": "RevisionNotFound"})
        oid, files = there
        if found["file"] not in files:
            return self._send(
                404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid}
            )
        content = files[found["file"]]
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": oid}
        return self._send(200, content, headers)

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
