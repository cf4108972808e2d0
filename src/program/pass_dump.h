#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "plan/nested_network.h"
#include "plan/quantized_network.h"
#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Writes what every pass leaves to a text file of its own: 01-imported.txt, 02-preprocessing-inserted.txt, and so on,
/// in the order in which they ran. Without a folder it writes nothing. Files of an earlier dump are removed first.
class PassDump {
 public:
  PassDump() = default;
  /// Throws Error (bad input) where the folder cannot be made.
  explicit PassDump(const std::filesystem::path& folder);

  void add(std::string_view pass, const Graph& graph);
  /// The layers of the graph, and what the plan decides for each.
  void add(std::string_view pass, const Graph& graph, const Plan& plan);
  /// The graph with the grids of its values and weights.
  void add(std::string_view pass, const QuantizedNetwork& network);
  void add(std::string_view pass, const NestedNetwork& network, std::span<const OperatingPoint> points);
  /// Buffers and steps with their integers' ranges at every operating point.
  void add(std::string_view pass, const Program& program);
  /// Operations with their kernels, and the place of every buffer in the arena.
  void add(std::string_view pass, const Program& program, const Schedule& schedule);

  /// For prepare_for_deployment.
  [[nodiscard]] PassObserver observer();

 private:
  /// Makes the text only where there is a folder for it.
  template <typename MakeText>
  void write(std::string_view pass, const MakeText& make_text);

  std::filesystem::path folder_;
  int written_ = 0;
};

}  // namespace trimtab
