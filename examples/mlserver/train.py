"""Trains two scikit-learn models on real data (the handwritten digits) and lays them out as MLServer wants them.

Prints the half of the data that neither has seen, as JSON: {"rows": [[64 numbers], ...], "labels": [...]}.
"""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier


def main(folder: Path, ports: list[int]) -> None:
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.5, random_state=3)
    for name, model in [("tree", DecisionTreeClassifier(max_depth=6)), ("neighbours", KNeighborsClassifier(5))]:
        place = folder / name
        place.mkdir()
        joblib.dump(model.fit(train_x, train_y), place / "model.joblib")
        settings = {
            "name": f"digits-{name}",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "./model.joblib", "version": "v1"},
        }
        (place / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = ports
    server = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(server))
    print(json.dumps({"rows": test_x.tolist(), "labels": test_y.tolist()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:5]])
