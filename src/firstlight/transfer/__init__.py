"""Transfer: pretrained weights and where they come from, heads, and frozen backbones."""
