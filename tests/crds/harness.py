"""A real API server for the tests in this directory, and two ways to talk to it."""

import functools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "tests/cluster"
# Never KUBECONFIG: these tests are not for the cluster that a person happens to work with.
ENVIRONMENT = {**os.environ, "KUBECONFIG": os.environ.get("GOPACER_TEST_KUBECONFIG", "")}


def _last_line(*command):
    """The command's last line of output; its messages go to ours."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]


@functools.cache
def built(program):
    """Path of a program of the test cluster, which is built if it is not there yet."""
    part = "kube" if program == "kubectl" else program
    return f"{_last_line(str(CLUSTER / 'build.sh'), part)}/{program}"


def start_api_server():
    """Call it in setUpModule. The server ends with the module, or with this process if that crashes."""
    if ENVIRONMENT["KUBECONFIG"]:
        return
    state = tempfile.TemporaryDirectory(prefix="gopacer-api-")
    unittest.addModuleCleanup(state.cleanup)
    directory = f"{state.name}/api"
    unittest.addModuleCleanup(subprocess.run, [str(CLUSTER / "api_down.sh"), directory], check=False)
    ENVIRONMENT["KUBECONFIG"] = _last_line(str(CLUSTER / "api_up.sh"), directory, "--parent", str(os.getpid()))


def attempt(program, *arguments, stdin=None):
    """Runs kubectl or helm; returns (exit status, output, messages)."""
    result = subprocess.run(
        [built(program), *arguments], env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=60
    )
    return result.returncode, result.stdout, result.stderr.strip()


def kubectl(*arguments, stdin=None):
    status, output, messages = attempt("kubectl", *arguments, stdin=stdin)
    if status != 0:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {messages}")
    return output


def eventually(holds, seconds=30):
    """Polls until it holds: much of what the API server is told takes effect a moment later."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {seconds} s")
        time.sleep(0.05)


def install_crds():
    """Returns once profiles and trials can be created."""
    names = ["goruntimeprofiles.gopacer.dev", "goruntimetrials.gopacer.dev"]
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    # Not by kubectl wait: it fails on definitions that are so new that they have no conditions yet.
    eventually(lambda: all(attempt("kubectl", "get", name)[0] == 0 for name in names))


class Server:
    """The API server behind `kubectl proxy`, so that a request costs milliseconds and needs no credentials here."""

    def __init__(self):
        self.proxy = subprocess.Popen(
            [built("kubectl"), "proxy", "--port=0"],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        greeting = self.proxy.stdout.readline()
        address = re.search(r"127\.0\.0\.1:\d+", greeting)
        if not address:
            raise AssertionError(f"kubectl proxy did not start: {greeting}{self.proxy.stderr.read()}")
        self.base = f"http://{address[0]}"

    def close(self):
        self.proxy.terminate()
        self.proxy.communicate(timeout=10)

    def send(self, method, path, body=None, content_type="application/json", user=None):
        """Returns (HTTP status, decoded answer). With `user` the request is that user's, as impersonation makes it."""
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type, **({"Impersonate-User": user} if user else {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
