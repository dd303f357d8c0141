#!/usr/bin/env bash
# Trains the whole family on one GPU by the clock: the initializer, then dkd-base and dkd-lite side by
# side, then dkd-base without memory for as many steps, to say what memory gains.
#
#   recipes/on_one_gpu.sh INITIALIZER_MINUTES STEP_MINUTES [KEY=VALUE...]
#
# The same command goes on where it was stopped; what is done is not done again, and more minutes
# add to it. KEY=VALUE goes to every training; INITIALIZER, BASE and LITE in the environment hold
# more for single ones, separated by blanks. SHARED (../shared) holds start weights, teachers and
# data, VIDPOSE (vidpose) is the command, PYTHON (python) its interpreter. Start it in the
# repository's folder; runs go to runs/.
set -euo pipefail
if [ $# -lt 2 ] || [[ $1 == *=* || $2 == *=* ]]; then
  sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
initializer_minutes=$1 step_minutes=$2
shift 2
all=("$@")
recipes=$(dirname "$0") shared=${SHARED:-../shared} python=${PYTHON:-python}
read -ra vidpose <<<"${VIDPOSE:-vidpose}"
read -ra initializer <<<"${INITIALIZER:-}"
read -ra base <<<"${BASE:-}"
read -ra lite <<<"${LITE:-}"

train() { # RECIPE KEY=VALUE...
  local recipe=$1
  shift
  "${vidpose[@]}" train "$recipes/$recipe.yaml" ${all[@]+"${all[@]}"} "$@"
}

if [ ! -e runs/start/dkd-lite/last.pt ]; then
  "$python" "$recipes/start_weights.py" "$shared/weights" --runs runs/start
fi
for set in lspet ccp coco_people; do
  if [ -d "$shared/data/$set" ] && [ ! -e "runs/labels/$set.json" ]; then
    detector=()
    [ $set = ccp ] && detector=(--detector "$shared/models/rtmdet_nano.onnx")
    "${vidpose[@]}" label "${set%_people}:$shared/data/$set" --out "runs/labels/$set.json" \
      --teacher "$shared/models/tinypose_256x192.onnx" ${detector[@]+"${detector[@]}"}
  fi
done
if [ -d "$shared/data/jhmdb" ] && [ ! -d data/jhmdb ]; then # its masks and joints come packed
  rm -rf data/jhmdb.part && mkdir -p data/jhmdb.part
  for part in ReCompress_Videos splits; do
    ln -s "$(realpath "$shared/data/jhmdb/$part")" data/jhmdb.part/
  done
  for part in masks joint_positions; do
    tar -xJf "$shared/data/jhmdb/$part.tar.xz" -C data/jhmdb.part
  done
  mv data/jhmdb.part data/jhmdb
fi

train dkd-initializer "minutes=$initializer_minutes" ${initializer[@]+"${initializer[@]}"}

# Two trainings share the CPUs that make their clips.
workers=$((($(nproc) - 1) / 2))
train dkd-base "minutes=$step_minutes" "workers=$workers" ${base[@]+"${base[@]}"} &
first=$!
train dkd-lite "minutes=$step_minutes" "workers=$workers" ${lite[@]+"${lite[@]}"} &
second=$!
trap 'kill $first $second 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
failed=0
wait $first || failed=$?
wait $second || failed=$?
trap - EXIT
[ $failed = 0 ] || exit $failed

steps=$("$python" -c '
import torch
print(torch.load("runs/dkd-base/last.pt", map_location="cpu", weights_only=True)["step"])')
train dkd-base ${base[@]+"${base[@]}"} name=dkd-base-static task.kernels=static minutes=null "steps=$steps"
