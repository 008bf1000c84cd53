"""The built-in transformer encoder. So far its mechanisms of attention: `ragembed.encoder.attention`."""
