"""What a run trains: a task of firstlight or a LightningModule, on data of firstlight or of a LightningDataModule.

`build` chooses the trainee of a run, and `evaluate` computes the metrics of its checkpoints.
"""
