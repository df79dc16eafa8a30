"""A page in the browser on which a trained run answers: drawings, photos, texts, latents, or the rows of a table.

`served` starts it, `page` puts it together, and `parts/` has the part for each kind of input. Gradio draws the page.
"""
