#pragma once

namespace trimtab::cli {

/// Warns on standard error where --bfloat16 was given and neither a GPU nor the processor multiplies in it.
void warn_of_slow_bfloat16(bool bfloat16);

}  // namespace trimtab::cli
