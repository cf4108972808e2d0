#include <fcntl.h>
#include <unistd.h>

#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/pictures.h"

namespace trimtab {
namespace {

/// OpenCV has blue, green, red.
Picture to_picture(const cv::Mat& matrix) {
  Picture picture{matrix.rows, matrix.cols, matrix.channels(), {}};
  picture.pixels.resize(matrix.total() * matrix.elemSize());
  cv::Mat pixels(matrix.rows, matrix.cols, matrix.type(), picture.pixels.data());
  if (picture.channels == 3) {
    cv::cvtColor(matrix, pixels, cv::COLOR_BGR2RGB);
  } else {
    matrix.copyTo(pixels);
  }
  return picture;
}

/// The same pixels, not copied; OpenCV has no constant matrices.
cv::Mat view(const Picture& picture) {
  return {static_cast<int>(picture.rows), static_cast<int>(picture.columns), picture.channels == 3 ? CV_8UC3 : CV_8UC1,
          const_cast<std::uint8_t*>(picture.pixels.data())};
}

/// While one of these lives, standard error leads nowhere: libpng and libjpeg write there whatever they find, and
/// OpenCV lets nobody stop them. Several threads decode at once; the last puts it back.
class SilentLibraries {
 public:
  SilentLibraries() {
    const std::scoped_lock lock(mutex);
    if (alive++ > 0) return;
    kept = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (kept >= 0 && null >= 0) ::dup2(null, STDERR_FILENO);
    if (null >= 0) ::close(null);
  }
  ~SilentLibraries() {
    const std::scoped_lock lock(mutex);
    if (--alive > 0 || kept < 0) return;
    ::dup2(kept, STDERR_FILENO);
    ::close(kept);
  }
  SilentLibraries(const SilentLibraries&) = delete;
  SilentLibraries& operator=(const SilentLibraries&) = delete;
  SilentLibraries(SilentLibraries&&) = delete;
  SilentLibraries& operator=(SilentLibraries&&) = delete;

 private:
  static inline std::mutex mutex;
  static inline int alive = 0;
  static inline int kept = -1;
};

std::optional<Picture> decode(std::span<const std::uint8_t> file, bool colour) {
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::uint8_t*>(file.data()));
    const SilentLibraries silence;
    const cv::Mat picture =
        cv::imdecode(bytes, (colour ? cv::IMREAD_COLOR : cv::IMREAD_GRAYSCALE) | cv::IMREAD_IGNORE_ORIENTATION);
    if (picture.empty()) return std::nullopt;
    return to_picture(picture);
  } catch (const cv::Exception&) {
    return std::nullopt;
  }
}

Picture resize(const Picture& picture, std::int64_t rows, std::int64_t columns, bool shrink) {
  Picture resized{rows, columns, picture.channels, {}};
  resized.pixels.resize(static_cast<std::size_t>(rows * columns * picture.channels));
  cv::Mat pixels = view(resized);
  cv::resize(view(picture), pixels, pixels.size(), 0, 0, shrink ? cv::INTER_AREA : cv::INTER_LINEAR);
  return resized;
}

std::vector<std::uint8_t> encode_png(const Picture& picture) {
  cv::Mat pixels = view(picture);
  if (picture.channels == 3) {
    pixels.release();
    cv::cvtColor(view(picture), pixels, cv::COLOR_RGB2BGR);
  }
  std::vector<std::uint8_t> file;
  if (!cv::imencode(".png", pixels, file)) file.clear();
  return file;
}

}  // namespace

extern "C" const PictureCodec* trimtab_picture_codec();

const PictureCodec* trimtab_picture_codec() {
  static const PictureCodec codec{decode, resize, encode_png};
  return &codec;
}

}  // namespace trimtab
