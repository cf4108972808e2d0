#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trimtab {

/// The folder in which a command gathers its result, inside the folder where it is to be. The files take their places
/// only when all of them are written; without commit() nothing of them stays, nor a folder that was not there before.
class StagingFolder {
 public:
  /// `owned` names the files that a result may consist of: commit() removes those that an earlier result left and this
  /// one lacks. Throws Error (bad input) where the folder cannot be made.
  explicit StagingFolder(std::filesystem::path out, std::vector<std::string> owned = {});
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  StagingFolder(StagingFolder&&) = delete;
  StagingFolder& operator=(StagingFolder&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Moves everything to its place: an earlier result.json goes first and the new one comes last, so that where it is
  /// there, all that belongs to it is there.
  void commit() const;

 private:
  std::filesystem::path out_;
  std::vector<std::string> owned_;
  bool was_there_;
  std::filesystem::path path_;
};

}  // namespace trimtab
