#include <gtest/gtest.h>

#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "data/dataset.h"

namespace trimtab {
namespace {

namespace fs = std::filesystem;

class Images : public testing::Test {
 protected:
  [[nodiscard]] fs::path path(const std::string& name) const {
    fs::create_directories((folder_.path() / name).parent_path());
    return folder_.path() / name;
  }
  /// A picture of one colour, red green blue.
  void write(const std::string& name, int height, int width, int red, int green, int blue) const {
    cv::imwrite(path(name).string(), cv::Mat(height, width, CV_8UC3, cv::Scalar(blue, green, red)));
  }
  void write_text(const std::string& name, std::string_view text) const { write_file(path(name), text); }
  [[nodiscard]] Dataset load(const Shape& shape = {}, std::int64_t resize = 0, Split split = Split::test,
                             std::int64_t limit = 0) const {
    DataOptions options;
    options.shape = shape;
    options.resize = resize;
    options.limit = limit;
    return load_dataset("images:" + folder_.path().string(), split, options);
  }
  [[nodiscard]] std::string message(const Shape& shape = {}, std::int64_t resize = 0) const {
    try {
      (void)load(shape, resize);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "nothing thrown";
  }
  TemporaryDirectory folder_;
};

TEST_F(Images, OneFolderPerClassInTheOrderOfNames) {
  write("dog/b.png", 2, 3, 10, 20, 30);
  write("dog/a.PNG", 2, 3, 40, 50, 60);
  write("cat/c.png", 2, 3, 70, 80, 90);
  write_text("cat/notes.md", "no picture");
  const Dataset data = load();
  EXPECT_EQ(data.shape, (Shape{3, 2, 3}));
  EXPECT_EQ(data.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{0, 1, 1}));
  std::vector<std::uint8_t> first{70, 70, 70, 70, 70, 70, 80, 80, 80, 80, 80, 80, 90, 90, 90, 90, 90, 90};
  EXPECT_EQ(data.slice(0, 1).pixels.values(), first) << "red, green, blue";
  EXPECT_EQ(data.pixels[1][0], 40) << "a before b";
}

TEST_F(Images, LabelsFile) {
  write("x y.png", 4, 4, 1, 2, 3);
  write("sub/z.jpg", 4, 4, 200, 200, 200);
  write_text("labels.txt", "x y.png 5\r\n\nsub/z.jpg 2");
  const Dataset data = load();
  EXPECT_EQ(data.labels, (std::vector<std::int64_t>{5, 2}));
  EXPECT_EQ(data.classes.size(), 6U);
  EXPECT_NEAR(data.pixels[1][0], 200, 2);
  EXPECT_EQ(load({}, 0, Split::test, 1).size(), 1);
}

TEST_F(Images, TrainAndTestFolders) {
  write("train/a/1.png", 4, 4, 1, 1, 1);
  write("val/a/1.png", 4, 4, 2, 2, 2);
  EXPECT_EQ(load({}, 0, Split::train).pixels[0][0], 1);
  EXPECT_EQ(load({}, 0, Split::test).pixels[0][0], 2);
}

TEST_F(Images, GreyForOneChannel) {
  write("a/1.png", 4, 4, 255, 0, 0);
  // ITU-R BT.601: 0.299 of red
  EXPECT_NEAR(load({1, 4, 4}).pixels[0][0], 0.299 * 255, 1);
}

// 8x4, its columns 0 10 20 ... 70; halved to 4x2 by means of 2x2, whose middle 2x2 is columns 1 and 2.
TEST_F(Images, ResizesTheShorterSideAndCropsTheMiddle) {
  cv::Mat picture(4, 8, CV_8UC3);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 8; ++x) picture.at<cv::Vec3b>(y, x) = cv::Vec3b::all(static_cast<std::uint8_t>(10 * x));
  }
  cv::imwrite(path("a/1.png").string(), picture);
  EXPECT_EQ(load({1, 2, 2}).pixels.values(), (std::vector<std::uint8_t>{25, 45, 25, 45}));
  // No smaller than it is: the crop alone.
  EXPECT_EQ(load({1, 2, 2}, 4).pixels.values(), (std::vector<std::uint8_t>{30, 40, 30, 40}));
  EXPECT_NE(message({1, 4, 4}, 2).find("larger shorter side"), std::string::npos);
}

TEST_F(Images, RefusesWhatIsNoPicture) {
  EXPECT_NE(message().find("holds no pictures"), std::string::npos);
  write("a/1.png", 4, 4, 1, 1, 1);
  write("a/2.png", 4, 5, 1, 1, 1);
  EXPECT_NE(message().find("2.png is 5x4, the first picture 4x4"), std::string::npos) << message();
  write_text("a/2.png", "");
  EXPECT_NE(message().find("empty"), std::string::npos);
  write_text("a/2.png", "GIF89a");
  EXPECT_NE(message().find("neither a JPEG nor a PNG"), std::string::npos);
  const std::string whole = read_text(path("a/1.png"));
  write_text("a/2.png", whole.substr(0, 40));
  EXPECT_NE(message().find("2.png is cut off"), std::string::npos) << message();
  std::string damaged = whole;
  damaged[40] = static_cast<char>(damaged[40] ^ 0x55);
  damaged[45] = static_cast<char>(damaged[45] ^ 0x55);
  write_text("a/2.png", damaged);
  EXPECT_NE(message().find("2.png"), std::string::npos) << message();
  std::string bomb = whole;
  bomb[16] = 0x7F;  // width of two billion
  write_text("a/2.png", bomb);
  EXPECT_NE(message().find("at most"), std::string::npos) << message();
  EXPECT_NE(message({4, 8, 8}).find("4x8x8"), std::string::npos);
  EXPECT_NE(message({3, 8, 8}, -1).find("-1"), std::string::npos);
}

TEST_F(Images, RefusesWrongLabels) {
  write("1.png", 4, 4, 1, 1, 1);
  for (const char* line : {"1.png", "1.png x", " 1", "1.png 1.5", "1.png 99999999999999999999"}) {
    write_text("labels.txt", line);
    EXPECT_NE(message().find("labels.txt, line 1"), std::string::npos) << line << ": " << message();
  }
  write_text("labels.txt", "1.png -1");
  EXPECT_NE(message().find("label -1"), std::string::npos);
  write_text("labels.txt", "2.png 1");
  EXPECT_NE(message().find("2.png does not exist"), std::string::npos);
  write_text("labels.txt", "\n\n");
  EXPECT_NE(message().find("holds no pictures"), std::string::npos);
}

TEST_F(Images, RefusesAFolderThatIsNone) {
  EXPECT_THROW((void)load_dataset("images:/no/such/folder", Split::test, {}), Error);
}

}  // namespace
}  // namespace trimtab
