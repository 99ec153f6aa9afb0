"""Finding refs at peers: each finder is one way to look, its results say where a ref is."""
