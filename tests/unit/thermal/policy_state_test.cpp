#include "thermal/policy_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "support/fake_board.h"

namespace trimtab::thermal {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string refused(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(PolicyState, IsReadAsItWasWritten) {
  const TemporaryDirectory folder;
  EXPECT_FALSE(read_policy_state(folder.path(), "policy0"));
  const PolicyLock lock(folder.path(), "policy0");
  lock.write({"2000000", "900000", "/run/trimtab/a variant"});
  const auto state = read_policy_state(folder.path(), "policy0");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->original_khz, "2000000");
  EXPECT_EQ(state->fallback_khz, "900000");
  EXPECT_EQ(state->operating_point, "/run/trimtab/a variant");
  EXPECT_FALSE(read_policy_state(folder.path(), "policy4"));
  lock.remove();
  EXPECT_FALSE(read_policy_state(folder.path(), "policy0"));
}

TEST(PolicyState, LockNamesTheProcessThatHasIt) {
  const TemporaryDirectory folder;
  {
    const PolicyLock lock(folder.path(), "policy0");
    EXPECT_THAT(refused([&] { PolicyLock(folder.path(), "policy0"); }),
                HasSubstr("governed by process " + std::to_string(::getpid())));
    const PolicyLock other(folder.path(), "policy4");
  }
  const PolicyLock again(folder.path(), "policy0");
}

TEST(PolicyState, RefusesADamagedFile) {
  const TemporaryDirectory folder;
  for (const char* text : {"", "trimtab govern 1\n", "trimtab govern 1\n-5\n900000\n\n",
                           "trimtab govern 1\n2000000\nx\n\n", "trimtab govern 2\n2000000\n900000\n\n"}) {
    write_file(folder.path() / "policy0.state", std::string_view(text));
    EXPECT_THAT(refused([&] { (void)read_policy_state(folder.path(), "policy0"); }), HasSubstr("is damaged")) << text;
  }
}

/// The files of a board that nobody governs.
class SysfsDeviceOfABoard : public testing::Test {
 protected:
  SysfsDeviceOfABoard() { files.root = board.root(); }

  Soc soc = read_soc(source("targets/socs/exynos5422.toml"));
  Cluster cluster = find_cluster(soc, "a15");
  std::vector<ThermalPoint> points =
      thermal_points(cluster, read_variants(source("targets/socs/mobilenet_v1-exynos5422.csv")).front());
  FakeBoard board{soc, cluster, points, 1, {}};
  BoardFiles files;
};

TEST_F(SysfsDeviceOfABoard, RefusesWhatItCouldNotGovern) {
  const std::filesystem::path zone = board.root() / "class/thermal/thermal_zone0";
  const auto attempt = [&] { return refused([&] { SysfsDevice(files, 85); }); };
  EXPECT_EQ(attempt(), "accepted");
  for (const auto& [reading, words] : {std::pair{"45", "degrees instead of millidegrees"},
                                       std::pair{"298150", "no running chip has"}, std::pair{"", "cannot be read"}}) {
    write_file(zone / "temp", std::string_view(reading));
    EXPECT_THAT(attempt(), HasSubstr(words)) << reading;
  }
  write_file(zone / "temp", std::string_view("45000\n"));
  write_file(zone / "trip_point_0_temp", std::string_view("80000\n"));
  write_file(zone / "trip_point_0_type", std::string_view("critical\n"));
  EXPECT_THAT(attempt(), HasSubstr("critical trip"));
  write_file(zone / "trip_point_0_temp", std::string_view("110000\n"));
  EXPECT_EQ(attempt(), "accepted");
  // A file, a link to one, and a link to nothing: none of them is ours.
  files.operating_point = board.root() / "variant";
  write_file(board.root() / "mine", std::string_view("precious\n"));
  std::filesystem::create_symlink(board.root() / "mine", files.operating_point);
  EXPECT_THAT(attempt(), HasSubstr("the daemon makes this file"));
  std::filesystem::remove(board.root() / "mine");
  EXPECT_THAT(attempt(), HasSubstr("the daemon makes this file"));
  std::filesystem::remove(files.operating_point);
  write_file(files.operating_point, std::string_view("precious\n"));
  EXPECT_THAT(attempt(), HasSubstr("the daemon makes this file"));
  EXPECT_EQ(read_attribute(files.operating_point), "precious");
  EXPECT_EQ(refused([&] { SysfsDevice(files, 85, true); }), "accepted");  // an earlier daemon's
}

TEST_F(SysfsDeviceOfABoard, WritesAgainWhatAnotherProcessChanged) {
  SysfsDevice device(files, 85);
  EXPECT_EQ(device.observe().mhz, 0);
  device.apply(points[3]);
  EXPECT_EQ(read_attribute(board.frequency()), "500000");
  EXPECT_EQ(device.observe().mhz, 0);
  write_attribute(board.frequency(), "2000000");
  EXPECT_EQ(device.observe().mhz, 2000);
  device.apply(points[3]);
  EXPECT_EQ(read_attribute(board.frequency()), "500000");
}

}  // namespace
}  // namespace trimtab::thermal
