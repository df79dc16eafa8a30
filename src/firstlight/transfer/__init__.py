"""Transfer learning: sources of pretrained weights, heads, and frozen backbones."""
