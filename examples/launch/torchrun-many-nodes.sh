#!/usr/bin/env bash
# Several machines; the same command on each of them, in any order. They find each other at HEAD, one of them.
#   NODES=4 HEAD=10.0.0.1:29500 examples/launch/torchrun-many-nodes.sh recipe.yaml /shared/runs/big
# All must see the recipe, its files and the run's folder under the same names.
set -euo pipefail
recipe=$1 folder=$2
shift 2
processes=${PROCESSES:-$(python -c 'import torch; print(max(torch.cuda.device_count(), 1))')}
exec torchrun --nnodes "$NODES" --nproc-per-node "$processes" \
  --rdzv-backend c10d --rdzv-endpoint "$HEAD" --rdzv-id "${JOB:-cosmith}" \
  -m cosmith.cli run "$recipe" --folder "$folder" "$@"
