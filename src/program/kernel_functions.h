#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "trimtab/movement.h"
#include "trimtab/operators.h"
#include "trimtab/rows.h"

namespace trimtab {

using ConvolutionFunction = void (*)(const runtime::Convolution&, const std::uint8_t* input, std::uint8_t* output,
                                     std::uint8_t* scratch);
/// Makes a strip of rows.
using ConvolutionRowsFunction = void (*)(const runtime::Convolution&, runtime::Strip, runtime::InputRows input,
                                         runtime::OutputRows output, std::uint8_t* scratch);
using MaxPoolFunction = void (*)(const runtime::MaxPool&, const std::uint8_t* input, std::uint8_t* output);
using AveragePoolFunction = void (*)(const runtime::AveragePool&, const std::uint8_t* input, std::uint8_t* output);
using AdditionFunction = void (*)(const runtime::Addition&, const std::uint8_t* a, const std::uint8_t* b,
                                  std::uint8_t* output);
using MultiplicationFunction = void (*)(const runtime::Multiplication&, const std::uint8_t* a, const std::uint8_t* b,
                                        std::uint8_t* output);
using LookupFunction = void (*)(const runtime::Lookup&, const std::uint8_t* input, std::uint8_t* output);
using RescaleFunction = void (*)(const runtime::Rescale&, const std::uint8_t* input, std::uint8_t* output);
using MovementFunction = void (*)(const runtime::Movement&, const std::uint8_t* input, std::uint8_t* output);

using KernelFunction =
    std::variant<ConvolutionFunction, ConvolutionRowsFunction, MaxPoolFunction, AveragePoolFunction, AdditionFunction,
                 MultiplicationFunction, LookupFunction, RescaleFunction, MovementFunction>;

/// The function of that name in trimtab::runtime, as compiled for the machine this runs on. Throws Error (failure) for
/// a kernel that this machine cannot run, such as one of another core's instructions.
[[nodiscard]] KernelFunction kernel_function(const std::string& name);

}  // namespace trimtab
