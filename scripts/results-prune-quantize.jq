# results/prune_quantize.json (and, as $map, results/assess.json) as tables.
include "results";
def memory: if .arena_bytes then .weights_bytes + .arena_bytes else null end;
($map[0].deployed | map({row: "cifar10_quick-\(.budget_bytes / 1024 | floor)", top1, top1_float, weights_bytes, arena_bytes})) as $quick
| sort_by(.row)
| (. + $quick) as $all
| "# Pruning and quantization under a bound",
"",
"Made by `scripts/results-prune-quantize SHARED WORK`; the command of each row and all its numbers are in `prune_quantize.json`. CIFAR-10, top-1 of the",
"integer program on the 5,000 samples of `test_batch_a.bin`; every program with an arena ran on the emulated Cortex-M4 and gave the host's numbers. Rows",
"cifar10_quick are those of `assess.md`. Where a row was run with more than one seed (NAME-seed-N), the mean is given, and the range. Rows of the script that",
"are not here have not been run.",
"",
"## Weights and activations under one bound",
"",
"The best program that fits the published budgets (packed weights and the arena together, 1 KB = 1024 bytes). Reach and hope are the goals that this project set",
"itself. The programs of memory-33-a4, memory-49 and memory-49-a4 make their maps in strips; the other rows are from before strips, when the arena took more of the budget.",
"",
"| KB | published optimum | reach | hope | here | row | weights + arena B |",
"|---|---|---|---|---|---|---|",
([[33, 71.85, 85, 86.5], [49, 78.17, 88, 89], [66, 80.42, 90, 91], [82, 81.49, 90.8, 91.8], [98, 81.99, 91.3, 92.3], [115, 82.64, 91.8, 92.6], [245, 83.10, 93, 94]][] as $budget
  | ([$all[] | select(memory != null and memory <= $budget[0] * 1024)] | best_row) as $best
  | "| \($budget[0]) | \($budget[1]) | \($budget[2]) | \($budget[3]) | \($best | map(.top1) | of_runs) | \($best[0] | base) | \($best | map(memory) | max) |"),
"",
"## Weights alone, activations of 8 bits",
"",
"ResNet-8 of MLPerf Tiny against the best published joint search.",
"",
"| weights bound | published | here | row | weights B |",
"|---|---|---|---|---|",
([[15, 81.9], [26, 84.4], [60, 86.2]][] as $bound
  | ([.[] | select(.weights_bytes and .weights_bytes <= $bound[0] * 1000 and (.command | test("resnet(14|20)") | not) and (.row | startswith("grid") | not))] | best_row) as $best
  | "| \($bound[0]) KB | \($bound[1]) | \($best | map(.top1) | of_runs) | \($best[0] | base) | \($best | map(.weights_bytes) | max) |"),
"",
(if any(.[]; .row == "grid-search") then
  ([.[] | select(.row | test("^grid-[0-9]"))]) as $grid
  | ($grid | max_by(.top1)) as $best | (.[] | select(.row == "grid-search")) as $found
  | ([$grid[].search.epochs] | add) as $epochs
  | "## What the search costs",
  "",
  "ResNet-8, weights of at most 30,000 bytes, activations of 8 bits, 10,000 training samples: every uniform plan (share of the weights kept x bits) that fits, each pruned,",
  "recovered and trained as long as the search trains its best, against one search.",
  "",
  "| | top-1 | epochs of training |",
  "|---|---|---|",
  "| best of the \($grid | length) uniform plans: \($best.row | ltrimstr("grid-") | sub("-"; " x ")) bits | \($best.top1 | two) | \($epochs | two) for all |",
  "| search: \($found.search.finalists[0].made_by), \($found.search.finalists[0].weights_kept * 100 | floor) % of the weights | \($found.top1 | two) | \($found.search.epochs | two), \(100 * $found.search.epochs / $epochs | two) % |",
  ""
else empty end),
"## All rows",
"",
"| row | top-1 | float before | weights B | arena B | flash B | RAM B | instructions | search: epochs, made by |",
"|---|---|---|---|---|---|---|---|---|",
(.[] | select(.row | test("^grid-[0-9]") | not) | "| \(.row) | \(.top1 | two) | \(.top1_float | two) | \(.weights_bytes) | \(.arena_bytes // "–") | \(.flash_bytes // "–") | \(.ram_bytes // "–") | \(.instructions // "–") | \(if .search then "\(.search.epochs | two), \(.search.finalists[0].made_by), \(.search.finalists[0].weights_kept * 100 | floor) % of the weights" else "–" end) |")
