"""Cosmith against its peers: same work, same machine, same run, own processes, interleaved."""
