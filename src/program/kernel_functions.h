#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "trimtab/movement.h"
#include "trimtab/operators.h"
#include "trimtab/rows.h"

namespace trimtab {

using ConvolutionFunction = void (*)(const runtime::Convolution&, runtime::Strip, runtime::InputRows,
                                     runtime::OutputRows, std::uint8_t* scratch);
template <typename Descriptor>
using OneInputFunction = void (*)(const Descriptor&, runtime::Strip, runtime::InputRows, runtime::OutputRows);
template <typename Descriptor>
using TwoInputFunction = void (*)(const Descriptor&, runtime::Strip, runtime::InputRows a, runtime::InputRows b,
                                  runtime::OutputRows);

using KernelFunction =
    std::variant<ConvolutionFunction, OneInputFunction<runtime::MaxPool>, OneInputFunction<runtime::AveragePool>,
                 TwoInputFunction<runtime::Addition>, TwoInputFunction<runtime::Multiplication>,
                 OneInputFunction<runtime::Lookup>, OneInputFunction<runtime::Rescale>,
                 OneInputFunction<runtime::Movement>, OneInputFunction<runtime::Softmax>>;

/// The function of that name in trimtab::runtime, as compiled for the machine this runs on. Throws Error (failure) for
/// a kernel that this machine cannot run, such as one of another core's instructions.
[[nodiscard]] KernelFunction kernel_function(const std::string& name);

}  // namespace trimtab
