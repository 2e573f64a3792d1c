"""A kit for testing code that builds on llm_tco: hypothesis strategies for its types.

It needs hypothesis: `python -m pip install 'llm-tco[testing]'`.
"""
