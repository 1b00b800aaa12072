"""The registry that benches push to. Does not know what is measured, nor who pushes."""

import json
import os
import re
import subprocess
import threading


class Registry:
    """A real one, on loopback, that writes down what it is asked."""

    def __init__(self, place):
        self.log = place / "access.log"
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(place / "blobs")}, "cache": {"blobdescriptor": "inmemory"}},
            "http": {"addr": "127.0.0.1:0"},
        }
        (place / "config.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", place / "config.yml"],
            stdout=self.log.open("w"),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
        self.address = next(
            found[1] for line in self.process.stderr if (found := re.search(r"listening on ([0-9.:]+)", line))
        )
        # It goes on to write its log, and must find a reader.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.read = 0

    def requests(self):
        """What it was asked since the last time: method and path."""
        text = self.log.read_text()
        asked, self.read = re.findall(r'"([A-Z]+ \S+) HTTP', text[self.read :]), len(text)
        return asked

    def blobs(self, name):
        """The layers of each image of the list `name`, in the order of the list: (digest, size)."""
        members = inspect(name)["manifests"]
        repository = name.rsplit(":", 1)[0]
        manifests = [inspect(f"{repository}@{member['digest']}") for member in members]
        self.requests()
        return [[(layer["digest"], layer["size"]) for layer in manifest["layers"]] for manifest in manifests]

    def platforms(self, name):
        """What the members of the list `name` are for."""
        return [f"{it['platform']['os']}/{it['platform']['architecture']}" for it in inspect(name)["manifests"]]


def inspect(name):
    words = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
