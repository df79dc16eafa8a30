"""Words of lightning-hydra-template, and what stands in their place; see its guide in docs/guides."""

TEMPLATE_WORDS = {
    "callbacks": "monitor= and patience= choose the best epoch and when to stop; others are a list,"
    ' "+trainer.callbacks=[{_target_: mine.Callback}]".',
    "ckpt_path": "resume=RUN continues the run in a folder, and evaluate.py run=RUN tests its network.",
    "extras": "leave it out. --cfg job prints the config, which is also saved in the folder of the run.",
    "hparams_search": "-m begins a sweep, such as -m sweep=learning_rate, or -m optimizer.lr=1e-3,1e-2.",
    "optimized_metric": "-m sweep.metric=val/accuracy names the metric of a search; without it, monitor= does.",
    "paths": "output_dir= names the folder of runs, and data.dir= that of the data.",
    "task_name": "tags=[...] or notes=... describe a run, and name= begins the path of its folder.",
    "test": "leave it out. A run ends with the test split, and evaluate.py run=RUN tests it again.",
    "train": "leave it out. train.py trains, and evaluate.py run=RUN only tests.",
}


def template_word(key: str) -> str | None:
    """Return how to do here what a key of the template does there; None if it is not one of them.

    Args:
        key: the dotted path, or the name of a group.
    """
    fix = TEMPLATE_WORDS.get(key.partition(".")[0])
    return fix and f" To fix: {fix}"
