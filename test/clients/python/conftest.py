"""Starts one Rosetta for all tests of this directory, and empties it before each of them.

The server is the one built in dist/ (`npm test` or `node scripts/prepare.mjs` builds it).
"""

import json
import pathlib
import shutil
import subprocess
import time

import pytest
import redis

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30


class Rosetta:
    """A running server: `addresses["redis"]` is `(host, port)`."""

    def __init__(self, directory, *options):
        program = ROOT / "dist" / "cli" / "main.js"
        if not program.exists():
            pytest.exit("there is no dist/cli/main.js: run `node scripts/prepare.mjs` first", returncode=1)
        ready = directory / "ready.json"
        listen = [f"--listen={name}=127.0.0.1:0" for name in self.protocols()]
        node = shutil.which("node")
        command = [node, program, "start", "--ephemeral", "--log-level=warn", f"--ready-file={ready}", *listen, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"rosetta ended with code {self.process.returncode}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"rosetta was not ready after {START_SECONDS_MAX} s")
            time.sleep(0.02)
        listeners = json.loads(ready.read_text())["listeners"]
        self.addresses = {name: (at["host"], at["port"]) for name, at in listeners.items()}

    @staticmethod
    def protocols():
        """The protocols of this version, as its help names them."""
        text = subprocess.run(
            [shutil.which("node"), ROOT / "dist" / "cli" / "main.js", "help", "start"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        line = next(line for line in text.splitlines() if line.startswith("Listens on "))
        return [word.split("=")[0] for word in line.split() if "=" in word]

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="session")
def rosetta(tmp_path_factory):
    server = Rosetta(tmp_path_factory.mktemp("rosetta"))
    yield server
    assert server.stop() == 0, "rosetta did not stop cleanly"


@pytest.fixture
def redis_address(rosetta):
    """`(host, port)` of an empty Redis; Memcached has the same keys."""
    host, port = rosetta.addresses["redis"]
    with redis.Redis(host=host, port=port) as client:
        client.flushall()
    return host, port
