"""Lambda's runtime API on a port of this machine, and functions of the package in processes of their own behind it.

A process sees what it would see on Lambda: the unpacked package, the runtime client beside it, the standard library,
and the environment it is given. Neither the checkout nor the virtual environment is on its path.
"""

from __future__ import annotations

import importlib.util
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from tests.infra.deployed_shape import DeployedFunction
from tests.infra.lambda_platform import InvocationFailed

_RUNTIME_CLIENT: Final = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What Lambda's Python image has in /var/runtime: awslambdaric, and what that imports."""

_ROOT: Final = "/2018-06-01/runtime"
_ANSWER_SECONDS_MAX: Final = 60
"""A cold start on a machine that does much else besides."""

_LOADED: Final = re.compile(r"^# (?:code object from|extension module .* loaded from) '(.+)'$", re.MULTILINE)


class _Answer(NamedTuple):
    kind: str
    body: Any


class RuntimeApi:
    """The API of one execution environment; one invocation at a time, as Lambda has it."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[dict[str, str], bytes] | None] = queue.Queue()
        self._answers: queue.Queue[_Answer] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self._events, self._answers))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """As ``AWS_LAMBDA_RUNTIME_API`` has it."""
        return f"127.0.0.1:{self._server.server_port}"

    def invoke(self, function: DeployedFunction, event: Mapping[str, object]) -> Any:
        """Hands an event over and waits for what the function makes of it.

        Raises:
            InvocationFailed: the function raised, or could not be initialized.
        """
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": "3b1f7c52-0000-4000-8000-000000000001",
            "Lambda-Runtime-Deadline-Ms": str(time.time_ns() // 1_000_000 + function.timeout_ms),
            "Lambda-Runtime-Invoked-Function-Arn": function.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
        }
        self._events.put((headers, json.dumps(event).encode()))
        try:
            answer = self._answers.get(timeout=_ANSWER_SECONDS_MAX)
        except queue.Empty:
            raise InvocationFailed(f"{function.handler} does not answer") from None
        if answer.kind != "response":
            raise InvocationFailed(f"{answer.body['errorType']}: {answer.body['errorMessage']}")
        return answer.body

    def close(self) -> None:
        """Ends it; whoever waits for an event gets none."""
        self._events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler_of(
    events: queue.Queue[tuple[dict[str, str], bytes] | None], answers: queue.Queue[_Answer]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            handed = events.get() if self.path == f"{_ROOT}/invocation/next" else None
            if handed is None:
                self.close_connection = True
                return
            headers, body = handed
            self._answer(200, headers, body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            answers.put(_Answer(self.path.rpartition("/")[2], json.loads(body)))
            self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
            """Says nothing."""

    return Handler


class FunctionProcess:
    """A function's execution environment: a process that runs its handler under Lambda's own runtime client.

    Args:
        function: as it was deployed.
        package: the unpacked package.
        runtime: a folder made by `lay_out_runtime`.
        environment: what is added to the function's own.
        log: a file for what it prints.
    """

    def __init__(
        self, function: DeployedFunction, *, package: Path, runtime: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self._function = function
        self._log = log
        self._api = RuntimeApi()
        variables = {
            **environment,
            **function.environment,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": str(package),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "_HANDLER": function.handler,
            "PYTHONPATH": f"{package}:{runtime}",
            # The functions' own folder takes no files.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # No site-packages (-S), none of a user's (-s), nothing of the working folder (-P); say what is loaded (-v).
        command = [sys.executable, "-S", "-s", "-P", "-v", "-m", "awslambdaric", function.handler]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  (no shell, no user input)
                command, cwd=package, env=variables, stdout=output, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.close()

    def invoke(self, event: Mapping[str, object]) -> Any:
        """See RuntimeApi."""
        return self._api.invoke(self._function, event)

    def log(self) -> str:
        """What it has printed, but for what it has loaded."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith(("#", "import ")))

    def loaded(self) -> Sequence[Path]:
        """The files of every module it has loaded so far: bytecode where there was any, else source."""
        return [Path(name) for name in _LOADED.findall(self._log.read_text(encoding="utf-8", errors="replace"))]


def lay_out_runtime(folder: Path) -> Path:
    """Makes the folder of the runtime client, and nothing but it."""
    folder.mkdir()
    for name in _RUNTIME_CLIENT:
        spec = importlib.util.find_spec(name)
        assert spec is not None, f"{name} is missing: it comes with awslambdaric"
        assert spec.origin is not None
        found = Path(spec.origin)
        source = found.parent if found.name == "__init__.py" else found
        (folder / source.name).symlink_to(source)
    return folder
