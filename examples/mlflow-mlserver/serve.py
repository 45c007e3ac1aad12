"""Takes every registered version of a model from MLflow and serves them side by side with one MLServer."""

import json
import os
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient


def main(name: str, folder: Path, ports: list[int]) -> None:
    for version in MlflowClient().search_model_versions(f"name='{name}'"):
        place = folder / f"{name}-{version.version}"
        mlflow.artifacts.download_artifacts(f"models:/{name}/{version.version}", dst_path=str(place))
        settings = {
            "name": name,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(next(place.rglob("model.pkl"))), "version": version.version},
        }
        (place / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = ports
    server = {
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,  # in one process: the models are small
    }
    (folder / "settings.json").write_text(json.dumps(server))
    os.execv(str(Path(sys.executable).parent / "mlserver"), ["mlserver", "start", str(folder)])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:6]])
