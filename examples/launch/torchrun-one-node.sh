#!/usr/bin/env bash
# One machine, one process for each of its GPUs:
#   examples/launch/torchrun-one-node.sh recipe.yaml runs/big
#   PROCESSES=2 examples/launch/torchrun-one-node.sh recipe.yaml runs/big     (two processes, with or without GPUs)
set -euo pipefail
recipe=$1 folder=$2
shift 2
processes=${PROCESSES:-$(python -c 'import torch; print(max(torch.cuda.device_count(), 1))')}
exec torchrun --standalone --nproc-per-node "$processes" -m cosmith.cli run "$recipe" --folder "$folder" "$@"
