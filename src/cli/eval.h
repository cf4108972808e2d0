#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/common.h"
#include "data/dataset.h"
#include "learn/evaluate.h"
#include "program/program.h"

namespace trimtab::cli {

/// The arguments of `trimtab eval`.
struct EvalOptions {
  CommonOptions common;
  std::string model;
  ModelChoice choice;
  std::string data;
  std::string preprocessing;
  std::size_t point = 0;
  std::string split = "test";
  DataOptions source;
  TaskWords task;
  std::string outputs;  ///< file for the answers; empty: none
  EvaluateOptions evaluation;
};

/// The measurements of a float network or of a program.
struct EvalResult {
  nlohmann::ordered_json json;  ///< what the kind of network has to say beside the rest
  Task task;
  Score score;
  std::string kind;  ///< "float; preprocessing: none"
  std::string more;  ///< further lines for people
  std::vector<std::string> warnings;
};

/// The samples, without their answers where --unlabelled says so.
[[nodiscard]] Dataset load_eval_data(EvalOptions& options, const Shape& input, const std::vector<JoinedPart>& parts);

/// The task of the program in a file: what the options say, else what the result beside it says, else what its output
/// and the data say.
[[nodiscard]] Task task_of_program(const EvalOptions& options, const Program& program,
                                   const std::filesystem::path& path, const Dataset& data);

/// Gathers the answers to all samples and writes them to --outputs; does nothing where there is no such option.
class OutputFile {
 public:
  OutputFile(const EvalOptions& options, const Task& task)
      : path_(options.outputs), shape_(task.output), parts_(task.parts) {}
  void add(std::span<const float> outputs);
  void write() const;

 private:
  std::string path_;
  Shape shape_;
  std::vector<JoinedPart> parts_;
  std::vector<float> numbers_;
};

/// The result for machines and for people. The keys of measures end with `suffix`.
[[nodiscard]] Result describe(const EvalOptions& options, const EvalResult& result, const std::string& suffix);

/// Measures a float network. Needs libtorch: see learning.h.
[[nodiscard]] Result evaluate_network(EvalOptions& options);

}  // namespace trimtab::cli
