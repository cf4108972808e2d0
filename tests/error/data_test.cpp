#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "support/command.h"

// Data sets and taxonomies that are wrong: what the command says. (Every kind of damage is in tests/unit/data.)
namespace trimtab {
namespace {

class DataErrors : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) const {
    const std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    write_file(path, text);
    return path.string();
  }
  std::string folder() const { return folder_.path().string(); }
  TemporaryDirectory folder_;
};

TEST_F(DataErrors, UnknownSource) {
  expect_refused({"data", "mnist:" + folder()}, "there is no data set 'mnist:");
  expect_refused({"data", "synthetic:shapes:none"}, "'none' samples");
}

TEST_F(DataErrors, PipesAndDevices) {
  const std::string pipe = folder() + "/x.npy";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refused({"data", "npy:" + pipe}, "x.npy is a pipe; a file is needed");
  expect_refused({"data", "cifar10:/dev/zero"}, "a file is needed");
  expect_refused({"inspect", pipe}, "x.npy is a pipe; a file is needed");
  expect_refused({"taxonomy", "/dev/zero"}, "");
  expect_refused({"sustain", "plan", pipe, "--variants", pipe}, "x.npy is a pipe; a file is needed");
}

TEST_F(DataErrors, WrongSizes) {
  expect_refused({"data", "cifar10:" + write("a.bin", std::string(3000, 'x'))}, "no multiple of 3073");
}

TEST_F(DataErrors, NoSamples) {
  expect_refused({"data", "cifar10:" + write("a.bin", "")}, "is empty");
  expect_refused({"data", "images:" + folder()}, "holds no pictures");
}

TEST_F(DataErrors, LabelsOutOfRange) {
  expect_refused({"data", "cifar10:" + write("a.bin", std::string(3073, '\x0A'))}, "record 0 has the label 10");
}

TEST_F(DataErrors, NoPicture) {
  write("class/a.png", "not a picture");
  expect_refused({"data", "images:" + folder()}, "neither a JPEG nor a PNG");
}

TEST_F(DataErrors, NoArray) {
  const std::string file = write("x.npy", "not an array");
  expect_refused({"data", "npy:" + file + "," + file}, "is no .npy file");
}

TEST_F(DataErrors, NoArchive) {
  expect_refused({"data", "npz:" + write("x.npz", "not an archive, though long enough")}, "is no .npz file");
  expect_refused({"data", "npy:x.npy,,y.npy"}, "must name one to three files");
}

TEST_F(DataErrors, OutputThatCannotBeWritten) {
  const std::string file = write("file", "in the way");
  expect_refused({"data", "synthetic:shapes:10", "-o", file}, file);
}

TEST_F(DataErrors, TaxonomyThatIsNone) {
  expect_refused({"taxonomy", write("a.csv", "class,kind\ncat,pet\ncat,pet\n")}, "'cat' is listed twice");
  expect_refused({"taxonomy", write("b.csv", "class,a,b\nx,1,1\ny,1,2\n")}, "levels must be nested");
  expect_refused({"taxonomy", write("c.toml", "levels = [2]\n[parents]\na = 'b'\nb = 'a'\n")}, "its own ancestor");
  expect_refused({"taxonomy", write("d.csv", "class,kind\ndisc,round\n"), "--match", "synthetic:shapes:10"},
                 "misses the class 'ring'");
}

}  // namespace
}  // namespace trimtab
