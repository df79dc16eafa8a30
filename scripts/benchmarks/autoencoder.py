"""Compare the test error of a trained autoencoder with that of PCA (principal component analysis).

    uv run scripts/benchmarks/autoencoder.py run=outputs/mnist-autoencoder/...

PCA has as many components as the autoencoder's latent has numbers.
"""

import sys

import torch
from sklearn.decomposition import PCA

from firstlight.runs.evaluate import evaluate
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks.build import build_source


def main() -> None:
    """Print both mean squared errors, for pixels from 0 to 1, and their ratio."""
    run = dict(word.split("=", 1) for word in sys.argv[1:])["run"]
    config = RunFolder.open(run).config()
    latent_dim = config.model["latent_dim"]
    _, splits = build_source(config).splits(config.seed)
    train, test = (
        splits[name].take(torch.arange(len(splits[name])))[0].flatten(1).numpy() / 255 for name in ("train", "test")
    )
    components = PCA(latent_dim, svd_solver="covariance_eigh").fit(train)
    pca = float(((components.inverse_transform(components.transform(test)) - test) ** 2).mean())
    ours = evaluate(run)["test/mse"]
    print(f"{f'PCA, {latent_dim} components':24} {pca:.5f}")
    print(f"{f'autoencoder, {latent_dim} numbers':24} {ours:.5f}")
    print(f"{'ratio':24} {ours / pca:.2f}")


if __name__ == "__main__":
    main()
