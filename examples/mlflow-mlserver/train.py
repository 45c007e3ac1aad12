"""Trains two readers of handwritten digits on real data and registers them with MLflow as versions of one model.

The data set is scikit-learn's `digits`: 1,797 images of 8 x 8 pixels, written by 43 people. Half of it trains, the other half is
what callers send in `run.py`.
"""

import os
import sys

import mlflow
from mlflow import MlflowClient
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

NAME = "digits"


def split():
    images, labels = load_digits(return_X_y=True)
    return train_test_split(images, labels, test_size=0.5, random_state=17, stratify=labels)


def main() -> None:
    train_x, test_x, train_y, test_y = split()
    mlflow.set_experiment("digits")
    client = MlflowClient()
    for alias, model in [
        ("champion", DecisionTreeClassifier(max_depth=8, random_state=17)),
        ("challenger", SVC(gamma=0.001)),
    ]:
        with mlflow.start_run(run_name=type(model).__name__):
            model.fit(train_x, train_y)
            mlflow.log_metric("test_accuracy", model.score(test_x, test_y))
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=NAME,
                serialization_format="cloudpickle",
                pip_requirements=["scikit-learn"],  # given, so that MLflow need not find out
            )
        client.set_registered_model_alias(NAME, alias, logged.registered_model_version)
        print(f"{NAME} version {logged.registered_model_version} is {type(model).__name__}, alias {alias}")


if __name__ == "__main__":
    if "MLFLOW_TRACKING_URI" not in os.environ:
        sys.exit("MLFLOW_TRACKING_URI is missing, must be the address of an MLflow server")
    main()
