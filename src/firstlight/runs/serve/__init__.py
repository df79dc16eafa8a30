"""A web server that predicts with a trained network.

`server` starts it, `app` has its pages, and `gate` lets requests in. `inputs` turns a request into samples, and
`batching` sends the samples of all requests that wait through the network together.
"""
