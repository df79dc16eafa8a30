"""Cross-validation: `cross_validation` trains a run for each fold, and `results` combines their metrics."""
