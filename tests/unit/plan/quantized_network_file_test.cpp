#include "plan/quantized_network_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "support/random_graph.h"

namespace trimtab {
namespace {

/// A file made by hand: the letters, the header's length, the header, no parameters.
std::vector<std::uint8_t> file_of(const std::string& header) {
  std::vector<std::uint8_t> bytes(16 + header.size());
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), "trimtabq", 8);
  std::memcpy(bytes.data() + 8, &length, sizeof(length));
  std::memcpy(bytes.data() + 16, header.data(), header.size());
  return bytes;
}

/// A network of one operator without parameters. `head`: the format's own fields.
std::string header_of(const std::string& head, const std::string& op) {
  return "{" + head + R"(,"graph":{"name":"old","input":0,"output":1,)" +
         R"("values":[{"name":"x","shape":[2]},{"name":"y","shape":[2]}],)" + R"("nodes":[{"name":"r","operator":)" +
         op + R"(,"inputs":[0],"output":1,"fields":{}}]}})";
}

std::string refusal_of(const std::string& header) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "a.network";
  write_file(path, file_of(header));
  try {
    (void)load_graph(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THROW((void)load_quantized_network(path), Error);
    return error.what();
  }
  return "";
}

TEST(NetworkFile, NamesItsOperators) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "a.network";
  write_file(path, file_of(header_of(R"("version":3,"maker":"0.2.0")", R"("HardSwish")")));
  const Graph graph = load_graph(path);
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<HardSwish>(graph.nodes[0].op));
}

TEST(NetworkFile, OfAnOlderFormatSaysWhoMadeIt) {
  EXPECT_THAT(refusal_of(header_of(R"("version":1)", "4")),
              testing::AllOf(testing::HasSubstr("a.network was made by trimtab 0.1.0 (format 1)"),
                             testing::HasSubstr("reads format 3: remove it, and make it again")));
  EXPECT_THAT(refusal_of(header_of(R"("version":4,"maker":"9.9.9")", R"("Relu")")),
              testing::HasSubstr("was made by trimtab 9.9.9 (format 4)"));
}

TEST(NetworkFile, WithAnUnknownOperatorIsRefused) {
  EXPECT_THAT(refusal_of(header_of(R"("version":3,"maker":"0.2.0")", R"("Fancy")")),
              testing::HasSubstr("is not a whole network"));
  EXPECT_THAT(refusal_of(header_of(R"("version":3,"maker":"0.2.0")", "4")),
              testing::HasSubstr("is not a whole network"));
}

TEST(NetworkFile, KeepsEveryOperator) {
  const TemporaryDirectory folder;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = reference::random_graph(seed, 12);
    save_graph(graph, folder.path() / "a.network");
    const Graph back = load_graph(folder.path() / "a.network");
    save_graph(back, folder.path() / "b.network");
    EXPECT_EQ(read_file(folder.path() / "a.network"), read_file(folder.path() / "b.network"));
    ASSERT_EQ(back.nodes.size(), graph.nodes.size());
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      EXPECT_EQ(operator_name(back.nodes[i].op), operator_name(graph.nodes[i].op));
      const Tensor* weight = weight_of(graph.nodes[i].op);
      if (weight == nullptr) continue;
      EXPECT_EQ(*weight_of(back.nodes[i].op), *weight);
    }
  }
}

}  // namespace
}  // namespace trimtab
