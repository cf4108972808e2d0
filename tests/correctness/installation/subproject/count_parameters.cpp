#include <fmt/format.h>

#include "graph/networks.h"
#include "graph/summary.h"

int main() { fmt::print("{}\n", summarize(trimtab::make_network("cifar10_quick", {3, 32, 32}, 10, 1)).parameters); }
