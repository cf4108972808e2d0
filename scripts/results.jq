# What the tables in results/ share: jq -L scripts 'include "results"; ...'.

# a number of at most two decimals, or a dash where there is none
def two: if . == null then "–" else (. * 100 | round / 100 | tostring) end;

# Rows NAME-seed-N repeat row NAME with another seed.
def base: .row | sub("-seed-[0-9]+$"; "");
def mean: add / length;
# of runs with different seeds: the mean, and where there is more than one the number and the range
def of_runs: if length > 1 then "\(mean | two) (\(length) runs, \(min | two) to \(max | two))" else "\(.[0] | two)" end;
