"""The whole story on one machine: train two models, register, serve, compare on live traffic, promote the better one by verdict.

    python run.py

needs the packages of requirements.txt and the `assay` command (or ASSAY="node /path/to/dist/cli/main.js"). Everything listens on
free ports of 127.0.0.1, is written to a temporary folder, and is gone at the end.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow import MlflowClient

sys.dont_write_bytecode = True  # leaves nothing beside these files
import train  # noqa: E402

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ASSAY = shlex.split(os.environ.get("ASSAY", "assay"))


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def ask(url: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[dict, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=30) as reply:
        text = reply.read()
        return (json.loads(text) if text.startswith((b"{", b"[")) else {}), dict(reply.headers)


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            ask(url)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    sys.exit(f"{url} did not answer within 180 s:\n{log.read_text()[-3000:]}")


def assay(*arguments: str, server: str) -> subprocess.CompletedProcess:
    return subprocess.run([*ASSAY, *arguments, "--server", server], text=True, capture_output=True)


def main(folder: Path, started: list[subprocess.Popen]) -> None:
    mlflow_port, http, grpc, metrics, gateway, api = free_ports(6)
    os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{mlflow_port}"
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"

    def start(name: str, *command: object) -> tuple[subprocess.Popen, Path]:
        log = folder / f"{name}.log"
        with log.open("w") as output:
            process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
        started.append(process)
        return process, log

    print("1. an MLflow server, two models trained and registered", flush=True)
    store = f"sqlite:///{folder}/mlflow.db"
    mlflow_server = start(
        "mlflow",
        *(BIN / "mlflow", "server", "--backend-store-uri", store, "--artifacts-destination", folder / "artifacts"),
        *("--host", "127.0.0.1", "--port", mlflow_port, "--workers", 1),
    )
    wait_for(f"http://127.0.0.1:{mlflow_port}/health", *mlflow_server)
    train.main()

    print("2. MLServer with both versions, Assay before it", flush=True)
    models = folder / "models"
    models.mkdir()
    mlserver = start("mlserver", sys.executable, HERE / "serve.py", train.NAME, models, http, grpc, metrics)
    for version in ("1", "2"):
        wait_for(f"http://127.0.0.1:{http}/v2/models/{train.NAME}/versions/{version}/ready", *mlserver)
    experiment = folder / "experiment.yaml"
    experiment.write_text((HERE / "experiment.yaml").read_text().replace("127.0.0.1:8083", f"127.0.0.1:{http}"))
    server = f"http://127.0.0.1:{api}"
    assay_server = start(
        "assay",
        *(*ASSAY, "serve", "-f", experiment, "--start", "--data", folder / "data"),
        *("--port", gateway, "--api-port", api),
    )
    wait_for(f"{server}/readyz", *assay_server)

    _, images, _, labels = train.split()
    print(f"3. {len(images)} images that neither model has seen, and what they really show", flush=True)

    def read(index: int) -> tuple[dict, str]:
        tensor = {"name": "image", "shape": [1, 64], "datatype": "FP64", "data": images[index].tolist()}
        url = f"http://127.0.0.1:{gateway}/v2/models/{train.NAME}/infer"
        _, headers = ask(url, {"inputs": [tensor]}, {"x-user-id": f"writer-{index}"})
        truth = {"id": f"label-{index}", "type": "label", "value": int(labels[index])}
        return {**truth, "predictionId": headers["x-assay-prediction-id"]}, headers["x-assay-variant"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, range(len(images))))
    counts = {variant: sum(each == variant for _, each in answers) for variant in ("champion", "challenger")}
    print(f"   answered by {counts}")
    ask(f"{server}/api/v1/outcomes", [truth for truth, _ in answers])

    print("4. the verdict", flush=True)
    verdict = assay("verdict", train.NAME, server=server)
    print(verdict.stdout.strip() or verdict.stderr.strip())
    if verdict.returncode != 0:
        sys.exit(f"assay verdict ended with {verdict.returncode}, must be 0 (ship)")

    print("5. the promotion", flush=True)
    promotion = assay("promote", train.NAME, "--reason", "the verdict is ship", server=server)
    if promotion.returncode != 0:
        sys.exit(promotion.stderr)
    client = MlflowClient()
    champion = client.get_model_version_by_alias(train.NAME, "champion")
    for _ in range(100):
        if champion.version == "2" and "assay.entry" in champion.tags:
            break
        time.sleep(0.1)
        champion = client.get_model_version_by_alias(train.NAME, "champion")
    print(f"   models:/{train.NAME}@champion is version {champion.version}; its tags:")
    for key, value in sorted(champion.tags.items()):
        print(f"   {key} = {value}")
    if champion.version != "2" or champion.tags.get("assay.verdict") != "ship":
        sys.exit("the alias or its tags are not what the verdict says")


if __name__ == "__main__":
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory(prefix="assay-mlflow-") as work:
        try:
            main(Path(work), running)
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(timeout=60)
