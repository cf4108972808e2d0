# results/scale.json as tables.
include "results";
def at($point; $level): $point.measured[] | select(.level == $level);
def lost($m): "\($m.lost_points | two) ± \($m.lost_points_half_width_95 | two)";
def expected($m): if $m.lost_points_expected == null then "–" else "\($m.lost_points_expected | two) ± \($m.lost_points_expected_half_width_95 | two)" end;
def uniform_points: .points[] | select(.uniform) | {precision, top1: .measured[0].test.top1};
def is_own_net: .row | contains("-only-");
# whether a run searched, rather than being there for its precisions alone
def is_search: (.points | length) > 1 and (is_own_net or (.row | contains("-seed-")) | not);
def chosen_line($row; $choice):
  $choice.level as $level
  | $choice.point as $k
  | $row.points[$k] as $p
  | at($p; $level) as $m
  | ($row.levels[] | select(.level == $level)) as $l
  | (if $choice.may_lose_points then "loses at most \($choice.may_lose_points)" else "saves at least \($choice.saves_percent) %" end) as $asked
  | "| \($row.row) | \($level) | \($asked) | \($k) | \($p.saved_percent | two) % | \($l.test_float.top1 | two) | \($m.test.top1 | two) | \(lost($m)) | \(expected($m)) | \($m.test.balanced | two) | \($m.test.majority | two) | \($m.test.samples) |";

"# One weight set at every level of abstraction",
"",
"Made by `scripts/results-scale SHARED WORK`; the command of each row and all its numbers are in `scale.json`. Energy: multiply-accumulates and",
"weight traffic against 8x8 bits on the same table (\(.[0].target.name); pairs of other widths interpolated, as its file allows). Accuracies are of the",
"integer program. The point is chosen on the tuning samples (the cheapest that loses at most so much there, or of those that save so much the one that loses",
"least; docs/scale.md says how a loss is told from few samples); all else is of the held-back samples. Expected: the loss by the float network's own",
"probabilities, without labels.",
"Rows of the script that are not here have not been run.",
"",
"| row | level | asked of the tuning samples | point | energy saved | float top-1 | top-1 | lost (95 %, paired) | expected (95 %) | balanced | majority | samples |",
"|---|---|---|---|---|---|---|---|---|---|---|---|",
(.[] | select(is_search) as $row | $row.levels[].level as $level
  | $row.choices[] | select(.level == $level and (.may_lose_points == 1 or .may_lose_points == 1.5 or .saves_percent)) | chosen_line($row; .)),
"",
"## All points, at every level",
"",
"Found for one level, measured at all. In a line: what answering more coarsely gains at equal energy.",
"",
"| row | point | found for | energy uJ | saved | level: top-1 (lost, 95 %) |",
"|---|---|---|---|---|---|",
(.[] | select(is_search) as $row | $row.points[] | select(.uniform | not)
  | "| \($row.row) | \(.point) | \(.level) | \(.energy.total_nj / 1000 | two) | \(.saved_percent | two) % | \([.measured[] | "\(.level): \(.test.top1 | two) (\(lost(.)))"] | join(", ")) |"),
(.[] | select(.truncation != null) | .truncation as $t
  | "",
    "## \(.row): dropping bits without training (\($t.samples) samples, float \($t.top1_float | two) %, activations 8 bits)",
    "",
    "| weight bits | nested | two's complement | nested, biases corrected | two's complement, biases corrected |",
    "|---|---|---|---|---|",
    ($t.rows[] | "| \(.weight_bits) | \(.top1_nested | two) | \(.top1_twos_complement | two) | \(.top1_nested_corrected | two) | \(.top1_twos_complement_corrected | two) |")),
(. as $all | [.[] | select(any(.points[]; .uniform) and (is_own_net | not))] | if . == [] then empty else
  "",
  "## One weight set against networks of their own",
  "",
  "Top-1 of the integer program with the same bits in every layer (weights x activations), and of networks that were trained for that precision alone;",
  "runs differ in their seed.",
  "",
  "| row | precision | one weight set | epochs | a network of its own | epochs | difference |",
  "|---|---|---|---|---|---|---|",
  (group_by(base)[] | (.[0] | base) as $base | .[0].epochs as $epochs
    | [.[] | uniform_points] | group_by(.precision) | reverse[]
    | .[0].precision as $precision | map(.top1) as $tops
    | [$all[] | select(base == (($base | sub("-tuned$"; "")) + "-only-" + $precision)) | {epochs} + uniform_points] as $own
    | "| \($base) | \($precision) | \($tops | of_runs) | \($epochs) | \(if $own == [] then "– | – | –" else "\($own | map(.top1) | of_runs) | \($own[0].epochs) | \(($tops | mean) - ($own | map(.top1) | mean) | two)" end) |") end),
"",
"## On the device",
"",
"A change of point costs nothing. Instructions are those of one inference at the dearest and at the cheapest point. Rows without flash and RAM come from an earlier version, whose\nkernels for nested weights were portable C++.",
"",
"| row | machine | points | samples | differing numbers | flash | RAM | instructions, most | least |",
"|---|---|---|---|---|---|---|---|---|",
(.[] | select(is_search) | if .device then "| \(.row) | \(.device.machine) | \(.device.points) | \(.device.samples) | \(.device.mismatches) | \(.flash_bytes // "–") | \(.ram_bytes // "–") | \(.device.instructions | max) | \(.device.instructions | min) |"
  else "| \(.row) | not run | | | | | | | |" end)
