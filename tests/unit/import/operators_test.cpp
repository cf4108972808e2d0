#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "base/file.h"
#include "graph/device_form.h"
#include "import/onnx_import.h"

namespace trimtab {
namespace {

std::set<std::string> imported_operators() {
  onnx_reader::Operators operators;
  onnx_reader::add_layers(operators);
  onnx_reader::add_elementwise(operators);
  onnx_reader::add_functions(operators);
  onnx_reader::add_layout(operators);
  onnx_reader::add_moves(operators);
  onnx_reader::add_upsampling(operators);
  onnx_reader::add_reductions(operators);
  std::set<std::string> names;
  for (const auto& [name, read] : operators) names.insert(name);
  return names;
}

/// The words of a text, without the marks between them.
std::set<std::string> words_of(std::string text) {
  for (char& c : text) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : ' ';
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST(OperatorNotes, NameTheOperatorsThatTheReaderKnows) {
  const std::set<std::string> known = imported_operators();
  for (const Operator& op : all_operators()) {
    for (const std::string& name : words_of(std::string(notes_of(op).onnx))) {
      EXPECT_TRUE(known.contains(name)) << operator_name(op) << " is said to come from " << name;
    }
  }
  const std::set<std::string> documented = words_of(read_text(std::string(TRIMTAB_SOURCE_DIR) + "/docs/operators.md"));
  for (const std::string& name : known) EXPECT_TRUE(documented.contains(name)) << name << " stands not in the page";
}

}  // namespace
}  // namespace trimtab
