"""Two models of one real Triton server (pytriton), fitted to the diabetes data of scikit-learn. Prints READY when it serves.

    python serve.py 8000 8001 8002
"""

import sys
import threading

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from sklearn.datasets import load_diabetes


def least_squares(columns: list[int]) -> np.ndarray:
    """Coefficients of a linear model of the diabetes data on some of its columns; the others stay 0."""
    x, y = load_diabetes(return_X_y=True)
    design = np.column_stack([x[:, columns], np.ones(len(x))])
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    weights = np.zeros(x.shape[1] + 1)
    weights[[*columns, x.shape[1]]] = found
    return weights


def model(columns: list[int]):
    weights = least_squares(columns)

    @batch
    def infer(x):
        y = x @ weights[:-1] + weights[-1]
        return {"y": y[:, None].astype(np.float32)}

    return infer


def main(http: int, grpc: int, metrics: int) -> None:
    stop = threading.Event()
    with Triton(config=TritonConfig(http_port=http, grpc_port=grpc, metrics_port=metrics, log_verbose=0)) as triton:
        for name, columns in [("progress_small", [2]), ("progress_full", list(range(10)))]:
            triton.bind(
                model_name=name,
                infer_func=model(columns),
                inputs=[Tensor(name="x", dtype=np.float32, shape=(10,))],
                outputs=[Tensor(name="y", dtype=np.float32, shape=(1,))],
                config=ModelConfig(max_batch_size=64),
            )
        triton.run()
        print("READY", flush=True)
        stop.wait()


if __name__ == "__main__":
    main(*(int(port) for port in sys.argv[1:4]))
