# From the other results (slurped) results/README.md.
include "results";
def signed: (if . >= 0 then "+" else "" end) + two;
def memory: .weights_bytes + .arena_bytes;
def best_within($bytes): [.[] | select(.weights_bytes and .arena_bytes and memory <= $bytes)] | best_row;
$assess[0] as $map | $pruned[0] as $rows
| ($scale[0][] | select(.row == "squeezenet-learned")) as $squeezenet
| def gain($ambient; $policy; $other): $sustain[0] | over($ambient; $policy; $other) | signed;
def gain_of_drop($ambient; $drop): [$sustain[0] | row("policies-\($ambient)").reactive_grid[] | select(.drop_mhz == $drop and .hysteresis_k == 2).gain_fixed_percent][0];
def chosen($level; $may_lose): [$squeezenet.choices[] | select(.level == $level and .may_lose_points == $may_lose).point][0]
  | $squeezenet.points[.] | {saved: .saved_percent, measured: (.measured[] | select(.level == $level))};
def float_of($level): [$squeezenet.levels[] | select(.level == $level).test_float.top1][0];
def joint_gain($soc; $ambient; $lost; $pace):
  [$joint[0].rows[] | select(.kind == "throughput" and .soc == $soc and .ambient_c == $ambient and .lost == $lost and .pace == $pace)][0]
  | 100 * (.rate_per_s / .fixed_rate_per_s - 1);

"# Results",
"",
"Made by `scripts/results-summary` from the other results. Every file here names the command that makes it, and stands beside its numbers as JSON.",
"",
"| file | question |",
"|---|---|",
"| [fit](fit.md), [prune_quantize](prune_quantize.md), [assess](assess.md) | How accurate is a network within so many bytes of a microcontroller? |",
"| [kernels](kernels.md), [cores](cores.md), [cortex-a](cortex-a.md), [host](host.md) | How fast do the kernels run, and how fast do others? |",
"| [rows](rows.md) | How much RAM do pushed rows save, and what is left to do after the last one? |",
"| [networks](networks.md), [quantized](quantized.md) | Which networks are read, and with the same answers? |",
"| [handover](handover.md), [newcomer](newcomer.md) | Is what is handed over what was measured? How long does a newcomer need? |",
"| [scale](scale.md), [hardware](hardware.md) | How much energy do fewer bits and coarser answers save? |",
"| [sustain](sustain.md), [joint](joint.md), [reliability](reliability.md), [circle](circle.md) | Which speed can a board keep up? Does the daemon hold the limit? |",
"| [training](training.md) | How long does training take, and against what? |",
"",
"## Three published results: reproduced, then left behind",
"",
"### 1. CIFAR-10 within a memory bound: filters and bits",
"",
"\"Reproduced\" is the published experiment: cifar10_quick, its numbers of parameters and activations counted at b bits. \"Here\" is any network of ours, as a linked",
"program: packed weights and the real arena, every number equal on the emulated Cortex-M4. Top-1 in percent on the 5,000 samples of test_batch_a.",
"",
"| KB | published | reproduced | lost with 8 and 16 bits only, published | lost, reproduced | here | gained over published |",
"|---|---|---|---|---|---|---|",
($map.published[] as $published
  | ([$map.budgets[] | select(.budget_bytes == $published.budget_kilobytes * 1024)][0]) as $own
  | ($rows + ($map.deployed | map(. + {row: "cifar10_quick-\(.budget_bytes)"})) | best_within($published.budget_kilobytes * 1024) | map(.top1)) as $here
  | "| \($published.budget_kilobytes) | \($published.top1) | \($own.optimum.top1 | two) | \($published.loss_of_8_bits) | \($own.restricted.loss | two) | \($here | of_runs) | \($here | mean - $published.top1 | signed) |"),
"",
"### 2. SqueezeNet on ImageNet: precision per layer, classes at several levels",
"",
"Published: up to 58 % of the energy saved, or 36 % more accuracy at the coarse level. Energy is that of multiply-accumulates and weight traffic by a table of a",
"precision-scalable array: it is **calculated**, not measured. \($squeezenet.levels[0].test_float.samples) pictures that chose nothing; the loss is against the float network at the same level.",
"",
"| level | float top-1 | asked to lose at most | energy saved | top-1 | lost (95 %, paired) |",
"|---|---|---|---|---|---|",
($squeezenet.levels[].level as $level | (1, 2) as $lost | chosen($level; $lost) as $c
  | "| \($level) | \(float_of($level) | two) | \($lost) | \($c.saved | two) % | \($c.measured.test.top1 | two) | \($c.measured.lost_points | two) ± \($c.measured.lost_points_half_width_95 | two) |"),
"",
([$squeezenet.levels[].level] | first as $fine | last as $coarse
  | "Answering with \($coarse) instead of single ones raises float top-1 from \(float_of($fine) | two) to \(float_of($coarse) | two) %, by \(100 * (float_of($coarse) / float_of($fine) - 1) | two) %."),
"",
"### 3. MobileNet on a Cortex-A15 for ever: proactive against reactive",
"",
"Published: proactive control is up to 17 % faster than reactive control. Rates are **simulated** on the identified model of the ODROID-XU3 with a limit of 85 °C.",
"",
"| ambient | best single OPP over the board's reactive policy (drop to 900 MHz) | drop to 600 MHz | our dither over the same policy (900 MHz) | our dither over Linux's tuned power_allocator |",
"|---|---|---|---|---|",
((25, 35) as $t | "| \($t) °C | \(gain($t; "fixed"; "hysteresis")) % | \(gain_of_drop($t; 600) | signed) % | \(gain($t; "dither"; "hysteresis")) % | \(gain($t; "dither"; "power_allocator-tuned")) % |"),
"",
"The gain depends on the ambient and on the depth of the drop ([figure](sustain-gain.svg)). A tuned controller of Linux leaves a single OPP nothing to gain. So we go",
"another way: network, precision, clock and cluster in one plan ([joint](joint.md)), at most 1 point of accuracy given up, against the best single variant at the",
"best single OPP of the fast cluster. How many instructions a cycle the little cores execute is **assumed**; only a board can tell.",
"",
"| board | ambient | fast cluster alone | with the little one at half an instruction a cycle | at one instruction a cycle |",
"|---|---|---|---|---|",
([$joint[0].rows[] | select(.kind == "throughput") | [.soc, .ambient_c]] | unique[] as [$soc, $ambient]
  | "| \($soc) | \($ambient) °C | \([(0, 0.5, 1) as $pace | joint_gain($soc; $ambient; 1; $pace) | signed] | join(" % | ")) % |")
