#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emit/deploy.h"
#include "measure/task.h"
#include "program/kernels.h"
#include "program/program.h"
#include "target/target.h"

namespace trimtab {

/// The facts that a folder for a firmware tells of itself, beside its sources.
struct HandOver {
  std::string name;                   ///< prefix of the C functions
  std::filesystem::path model;        ///< the file that was given
  std::vector<std::string> left_out;  ///< layers at the network's end that the program does without
  nlohmann::ordered_json result;      ///< result.json, with all that was measured
  Deployment deployment{};            ///< as measured, for the table of the manager
};

/// Layers of a network that a program leaves out: a Softmax at its end.
[[nodiscard]] std::vector<std::string> left_out_layers(const Graph& graph);
/// Throws Error (bad input) where the task needs the numbers of such a layer.
void check_left_out(const Graph& graph, const Task& task);
/// Their names and why they can be missing, or nothing.
[[nodiscard]] std::string describe_left_out(const std::vector<std::string>& layers);

/// Writes README.md, LICENSE, main.c and, last, manifest.json into the folder that deploy() filled, and for a
/// microcontroller the firmware of `trimtab validate` and the manager (manager_source.h), for Linux the program
/// classify (linux_source.h). The manifest holds hashes of all other files; `trimtab package` reads it.
void write_hand_over(const HandOver& hand_over, const Program& program, const Target& target, Optimize optimize,
                     const std::filesystem::path& folder);

}  // namespace trimtab
