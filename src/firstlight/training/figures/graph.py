"""The operations of a network, as TensorBoard's graph."""

import contextlib
import io
import warnings

from torch import Tensor, nn

from firstlight.log import logger


def graph_of(network: nn.Module, inputs: Tensor) -> bytes | None:
    """Return the graph of a network as a serialized `GraphDef`.

    Args:
        network: in evaluation mode.
        inputs: an input of the network, (batch, ...).

    Returns:
        The graph; None, with a line in the log, if torch cannot trace the network.
    """
    from torch.utils.tensorboard._pytorch_graph import graph  # `SummaryWriter.add_graph` would write a file of its own

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # a branch of Python code is traced as it is taken for these inputs
            found, _ = graph(network, (inputs,))
    except Exception as error:  # of any kind: the code of the network runs
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        logger.info(f"TensorBoard shows no graph, because {type(network).__name__} cannot be traced ({reason[:200]})")
        return None
    return found.SerializeToString()
