"""ELMo: vectors of words in their context, from a character CNN and a two-directional LSTM language model.

Source: Peters, Neumann, Iyyer, Gardner, Clark, Lee & Zettlemoyer 2018, "Deep contextualized word representations",
NAACL. Torch is imported only when something is computed.
"""
