"""Is it better, by how much, how sure? Fine-tunes on real data, over several seeds."""
