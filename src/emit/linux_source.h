#pragma once

#include <filesystem>
#include <string>

#include "program/kernels.h"
#include "program/program.h"
#include "target/target.h"

namespace trimtab {

/// Writes a program around the network for a processor under Linux into the folder of the sources, classify.cpp, and
/// builds it there for the target: classify, a static program that reads images or raw inputs
/// (firmware/linux/classify.h says how it is used). Throws as build_firmware().
void write_linux_program(const Program& program, const Target& target, Optimize optimize, const std::string& name,
                         const std::filesystem::path& folder);

}  // namespace trimtab
