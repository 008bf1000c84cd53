"""The built-in transformer encoder: `sentence` embeds texts, `checkpoints` reads models, `attention` has mechanisms."""
