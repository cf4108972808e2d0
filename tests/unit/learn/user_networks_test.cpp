#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "import/onnx.h"
#include "support/models.h"
#include "support/user_networks.h"

// Networks as people export them, with the answers of onnxruntime: read and run in float, or refused for a reason.
namespace trimtab {
namespace {

/// No ConvNets, networks in training mode, and what is not read yet.
const std::set<std::string> refused_networks{"adaptive7from32_dyn_op18_N",
                                             "bn_training_mode",
                                             "groupnorm_dyn_op18_N",
                                             "groupnorm_ts_op13_N",
                                             "gru",
                                             "instancenorm",
                                             "l2norm_embedding",
                                             "layernorm",
                                             "lrn_alexnet",
                                             "lstm",
                                             "lstm_ts_op13_N",
                                             "two_inputs"};
TEST(UserNetworks, AnswerAsOnnxruntimeOrAreRefused) {
  const std::filesystem::path folder = models / "user-nets";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "shared/models/user-nets is absent";
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    SCOPED_TRACE(name);
    const std::vector<Obstacle> obstacles = onnx_obstacles(entry.path(), user_network_options(name));
    EXPECT_EQ(!obstacles.empty(), refused_networks.contains(name)) << (obstacles.empty() ? "" : obstacles[0].reason);
    if (!obstacles.empty()) continue;
    EXPECT_LE(read_user_network(folder, name).difference, 1e-5);
    ++read;
  }
  EXPECT_GE(read, 158);
}

}  // namespace
}  // namespace trimtab
