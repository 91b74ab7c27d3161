"""The GraphQL answers of a small W&B server; `wandb_server` is the HTTP around it.

Each operation has a method named as in the query; one without is answered with nothing, and the
server records it.
"""

import json
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class ServedRun:
    """A run on the server."""

    id: str
    project: str
    name: str = ""
    group: str = ""
    tags: list = field(default_factory=list)
    raw_config: dict = field(default_factory=dict)
    lines: dict = field(default_factory=lambda: defaultdict(dict))  # file -> offset -> text
    exit_code: int | None = None
    is_complete: bool = False
    alerts: list = field(default_factory=list)
    used: list = field(default_factory=list)

    @property
    def config(self):
        return {name: entry["value"] for name, entry in self.raw_config.items() if name != "_wandb"}

    @property
    def history(self):
        rows = self.lines["wandb-history.jsonl"]
        return [json.loads(rows[offset]) for offset in sorted(rows)]

    @property
    def summary(self):
        rows, merged = self.lines["wandb-summary.json"], {}
        for offset in sorted(rows):
            merged.update(json.loads(rows[offset]))
        return merged

    def column(self, name):
        """Return pairs of update and value of one name."""
        return [(r["trainer/global_step"], r[name]) for r in self.history if name in r]


class Answers:
    """GraphQL operations on runs and artifacts in memory."""

    def __init__(self, url):
        self.url = url
        self.runs, self.artifacts, self.sweeps = {}, {}, {}
        self.clients = {}  # what a client called an artifact before it was here -> its id
        self._count = 0

    def _next_id(self, kind):
        self._count += 1
        return f"{kind}{self._count}"

    # ---- who am I

    def Viewer(self, variables):
        viewer = {"id": "u1", "entity": "tester", "username": "tester", "email": "t@example.com"}
        viewer |= {"name": "tester", "admin": False, "flags": "{}"}
        return {"viewer": {**viewer, "teams": {"edges": []}, "apiKeys": {"edges": []}}}

    GetDefaultEntity = Viewer

    def ServerFeaturesQuery(self, variables):
        return {"serverInfo": {"features": []}}

    def OrganizationCoreWeaveOrganizationID(self, variables):
        return {"entity": {"organization": None}}

    # ---- runs

    def _bucket(self, run):
        entity = {"id": "e1", "name": "tester"}
        return {
            "id": f"storage-{run.id}", "name": run.id, "displayName": run.name,
            "description": "", "config": json.dumps(run.raw_config), "sweepName": None,
            "state": "running", "project": {"id": "p1", "name": run.project, "entity": entity},
            "historyLineCount": len(run.lines["wandb-history.jsonl"]),
        }  # fmt: skip

    def UpsertBucket(self, variables):
        known = variables.get("id") or ""
        run_id = known.removeprefix("storage-") if known else variables["name"]
        is_new = run_id not in self.runs
        run = self.runs.setdefault(run_id, ServedRun(run_id, variables.get("project") or ""))
        if run.is_complete and not known:  # the same id without resume: a new start
            run.lines.clear()
        run.is_complete = False
        run.name = variables.get("displayName") or run.name or f"made-up-{run_id}"
        run.group, run.tags = (
            variables.get("groupName") or run.group,
            variables.get("tags") or run.tags,
        )
        if variables.get("config"):
            run.raw_config = json.loads(variables["config"])
        if variables.get("summaryMetrics"):
            run.lines["wandb-summary.json"][0] = variables["summaryMetrics"]
        return {"upsertBucket": {"bucket": self._bucket(run), "inserted": is_new}}

    def RunResumeStatus(self, variables):
        model = {"id": "p1", "name": variables.get("project"), "bucket": None}
        run = self.runs.get(variables["name"])
        if run is not None:

            def tail(name):
                lines = run.lines[name]
                return json.dumps([lines[max(lines)]] if lines else [])

            model["bucket"] = {
                **self._bucket(run), "summaryMetrics": json.dumps(run.summary), "tags": run.tags,
                "notes": "", "logLineCount": len(run.lines["output.log"]),
                "eventsLineCount": len(run.lines["wandb-events.jsonl"]),
                "historyTail": tail("wandb-history.jsonl"),
                "eventsTail": tail("wandb-events.jsonl"),
                "wandbConfig": json.dumps({"t": {"1": 1}}),
            }  # fmt: skip
        return {"model": {**model, "entity": {"id": "e1", "name": "tester"}}}

    def Run(self, variables):
        run = self.runs.get(variables["name"])
        if run is None:
            return {"project": {"run": None}}
        bucket = {**self._bucket(run), "summaryMetrics": json.dumps(run.summary), "tags": run.tags}
        more = {"projectId": "1", "historyKeys": None, "systemMetrics": "{}", "readOnly": False}
        return {"project": {"run": {**bucket, **more, "config": "{}"}}}

    def NotifyScriptableRunAlert(self, variables):
        self.runs[variables["runName"]].alerts.append((variables["title"], variables["severity"]))
        return {"notifyScriptableRunAlert": {"success": True}}

    def CreateRunFiles(self, variables):
        folder = f"{self.url}/storage/run/{variables['run']}"
        files = [
            {"name": name, "uploadUrl": f"{folder}/{urllib.parse.quote(name)}"}
            for name in variables["files"]
        ]
        answer = {"runID": f"storage-{variables['run']}", "uploadHeaders": [], "files": files}
        return {"createRunFiles": answer}

    # ---- artifacts

    def CreateArtifact(self, variables):
        asked = variables.get("input") or variables  # wandb before 0.29 names them one by one
        name = asked.get("artifactCollectionName") or asked["artifactCollectionNames"][0]
        same = [a for a in self.artifacts.values() if a["name"] == name]
        artifact = next((a for a in same if a["digest"] == asked["digest"]), None)
        if artifact is None:
            artifact = {
                "id": self._next_id("art"), "name": name, "type": asked["artifactTypeName"],
                "digest": asked["digest"], "state": "PENDING", "version": len(same),
                "metadata": json.loads(asked.get("metadata") or "{}"), "aliases": [], "files": {},
                "project": asked["projectName"], "client": asked.get("clientID"),
            }  # fmt: skip
            self.artifacts[artifact["id"]] = artifact
        self.clients[asked.get("clientID")] = artifact["id"]
        for alias in asked.get("aliases") or ():
            for other in same:  # an alias points at one version
                if alias["alias"] in other["aliases"]:
                    other["aliases"].remove(alias["alias"])
            artifact["aliases"].append(alias["alias"])
        newest = {"id": same[-1]["id"], "versionIndex": same[-1]["version"]} if same else None
        sequence = {"id": f"seq-{name}", "latestArtifact": newest}
        answer = {"id": artifact["id"], "state": artifact["state"], "artifactSequence": sequence}
        return {"createArtifact": {"artifact": answer}}

    def ClientIDMapping(self, variables):
        known = self.clients.get(variables["clientID"])
        return {"clientIDMapping": known and {"serverID": known}}

    def _manifest(self, artifact_id):
        address = f"{self.url}/storage/manifest/{artifact_id}"
        file = {"id": "f1", "uploadUrl": address, "uploadHeaders": []}
        return {"artifactManifest": {"id": f"man-{artifact_id}", "file": file}}

    def CreateArtifactManifest(self, variables):
        return {"createArtifactManifest": self._manifest(variables["artifactID"])}

    def UpdateArtifactManifest(self, variables):
        artifact_id = variables["artifactManifestID"].removeprefix("man-")
        return {"updateArtifactManifest": self._manifest(artifact_id)}

    def CreateArtifactFiles(self, variables):
        edges = []
        for file in (variables.get("input") or variables)["artifactFiles"]:
            key = f"artifact/{file['artifactID']}/{file['name']}"
            self.artifacts[file["artifactID"]]["files"][file["name"]] = key
            node = {
                "id": key, "name": file["name"], "storagePath": key, "uploadHeaders": [],
                "artifact": {"id": file["artifactID"]}, "uploadMultipartUrls": None,
                "uploadUrl": f"{self.url}/storage/{urllib.parse.quote(key)}",
            }  # fmt: skip
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def CommitArtifact(self, variables):
        artifact = self.artifacts[variables["artifactID"]]
        artifact["state"] = "COMMITTED"
        answer = {"id": artifact["id"], "digest": artifact["digest"]}
        return {"commitArtifact": {"artifact": answer}}

    def artifact(self, name, alias="latest"):
        """An artifact's newest version with an alias or a version's name; None for none."""
        artifacts = [
            a for a in self.artifacts.values()
            if a["name"] == name and alias in (*a["aliases"], f"v{a['version']}")
        ]  # fmt: skip
        return artifacts[-1] if artifacts else None

    def _whole(self, artifact):
        entity = {"name": "tester"}
        project = {"id": "p1", "internalId": "1", "name": artifact["project"], "entity": entity}
        collection = {"__typename": "ArtifactSequence", "name": artifact["name"]}
        collection["project"] = project
        aliases = [
            {"__typename": "ArtifactAlias", "id": f"al-{alias}", "alias": alias,
             "artifactCollection": collection}
            for alias in artifact["aliases"]
        ]  # fmt: skip
        return {
            "__typename": "Artifact", "id": artifact["id"], "artifactSequence": collection,
            "versionIndex": artifact["version"], "artifactType": {"name": artifact["type"]},
            "description": None, "metadata": json.dumps(artifact["metadata"]),
            "ttlDurationSeconds": -2, "ttlIsInherited": True, "tags": [], "historyStep": None,
            "state": artifact["state"], "size": 1, "digest": artifact["digest"],
            "digestAlgorithm": "MANIFEST_MD5", "commitHash": "c0ffee",
            "fileCount": len(artifact["files"]), "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": None, "aliases": aliases,
        }  # fmt: skip

    def _membership(self, artifact):
        whole = self._whole(artifact)
        return {
            "__typename": "ArtifactCollectionMembership", "id": f"mem-{artifact['id']}",
            "versionIndex": artifact["version"], "createdAt": "2026-01-01T00:00:00Z",
            "aliases": whole["aliases"], "artifactCollection": whole["artifactSequence"],
            "artifact": whole,
        }  # fmt: skip

    def ArtifactByID(self, variables):
        return {"artifact": self._whole(self.artifacts[variables["id"]])}

    def ArtifactMembershipByName(self, variables):
        name, _, alias = variables["name"].partition(":")
        artifact = self.artifact(name, alias or "latest")
        artifacts = artifact and self._membership(artifact)
        return {"project": {"artifactCollectionMembership": artifacts}}

    def ArtifactType(self, variables):
        artifact = self.artifact(*variables["name"].split(":"))
        return {"project": {"artifact": artifact and {"artifactType": {"name": artifact["type"]}}}}

    def FetchArtifactManifest(self, variables):
        file = {"directUrl": f"{self.url}/storage/manifest/{variables['id']}"}
        return {"artifact": {"currentManifest": {"file": file}}}

    def GetArtifactMembershipFileUrls(self, variables):
        artifact = self.artifact(variables["collection"], variables["alias"])
        edges = [
            {"node": {"__typename": "File", "name": name,
                      "directUrl": f"{self.url}/storage/{urllib.parse.quote(key)}"}}
            for name, key in artifact["files"].items()
        ]  # fmt: skip
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        files = {"artifactMembership": {"files": {"pageInfo": page, "edges": edges}}}
        return {"project": {"artifactCollection": {"__typename": "ArtifactSequence", **files}}}

    def UseArtifact(self, variables):
        asked = variables.get("input") or variables
        self.runs[asked["runName"]].used.append(asked["artifactID"])
        return {"useArtifact": {"artifact": {"id": asked["artifactID"]}}}

    # ---- sweeps: the values of one parameter, one after another

    def UpsertSweep(self, variables):
        import yaml

        name = variables.get("id") or self._next_id("sweep")
        project = {"id": "p1", "name": variables["projectName"], "entity": {"id": "e1"}}
        project["entity"]["name"] = "tester"
        if variables.get("config"):
            asked = yaml.safe_load(variables["config"])
            ((parameter, values),) = asked["parameters"].items()
            todo = [{parameter: {"value": value}} for value in values["values"]]
            sweep = {"config": variables["config"], "program": asked["program"], "todo": todo}
            self.sweeps[name] = sweep
        answer = {"sweep": {"name": name, "project": project}, "configValidationWarnings": []}
        return {"upsertSweep": answer}

    def SweepWithRuns(self, variables):
        name = variables["sweep"]
        sweep = {"id": name, "name": name, "method": "grid", "state": "RUNNING"}
        sweep |= {"config": self.sweeps[name]["config"], "runs": {"edges": []}}
        return {"project": {"sweep": sweep}}

    def GetSweepState(self, variables):
        return {"project": {"sweep": {"state": "RUNNING"}}}

    def CreateAgent(self, variables):
        return {"createAgent": {"agent": {"id": f"agent-{variables['sweep']}"}}}

    def Heartbeat(self, variables):
        sweep, commands = self.sweeps[variables["id"].removeprefix("agent-")], []
        if not json.loads(variables.get("runState") or "{}"):  # the agent is idle
            commands = [{"type": "exit"}]
            if sweep["todo"]:
                run = {
                    "type": "run",
                    "run_id": self._next_id("trial"),
                    "args": sweep["todo"].pop(0),
                }
                commands = [{**run, "program": sweep["program"]}]
        agent = {"id": variables["id"]}
        return {"agentHeartbeat": {"agent": agent, "commands": json.dumps(commands)}}
