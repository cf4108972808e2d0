# What the tables in results/ share: jq -L scripts 'include "results"; ...'.

# a number of at most two decimals, or a dash where there is none
def two: if . == null then "–" else (. * 100 | round / 100 | tostring) end;

# Rows NAME-seed-N repeat row NAME with another seed.
def base: .row | sub("-seed-[0-9]+$"; "");
def mean: add / length;
# of rows, runs of different seeds as one, the one with the highest mean
def best_row: group_by(base) | max_by(map(.top1) | mean);
# of runs with different seeds: the mean, and where there is more than one the number and the range
def of_runs: if length > 1 then "\(mean | two) (\(length) runs, \(min | two) to \(max | two))" else "\(.[0] | two)" end;

# Of sustain.json: the result of a command, a policy of a simulation, and by how many percent a policy is faster than another.
def row($name): .[] | select(.name == $name) | .result;
def policy($ambient; $name): [row("policies-\($ambient)").policies[] | select(.policy == $name)][0];
def over($ambient; $policy; $other): 100 * (policy($ambient; $policy).rate_per_s / policy($ambient; $other).rate_per_s - 1);
