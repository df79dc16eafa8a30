"""Reinforcement learning: agents that learn from what their own actions lead to, in environments of `data`."""
