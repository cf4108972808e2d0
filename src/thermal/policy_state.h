#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace trimtab::thermal {

/// The facts that a daemon needs about the one before it that did not end cleanly.
struct PolicyState {
  std::string original_khz;  ///< scaling_max_freq before any daemon
  std::string fallback_khz;
  std::filesystem::path operating_point;  ///< the file that the daemon made; may be empty
};

/// The lock of a cpufreq policy and its state file, FOLDER/POLICY.lock and FOLDER/POLICY.state. One daemon holds the
/// lock. The state file is there from before the first change of the board until a clean end.
class PolicyLock {
 public:
  /// Throws Error (bad input) where the folder cannot be made, and, naming the process, where another one has the lock.
  PolicyLock(const std::filesystem::path& folder, const std::string& policy);
  ~PolicyLock();
  PolicyLock(const PolicyLock&) = delete;
  PolicyLock& operator=(const PolicyLock&) = delete;
  PolicyLock(PolicyLock&&) = delete;
  PolicyLock& operator=(PolicyLock&&) = delete;

  void write(const PolicyState& state) const;
  void remove() const;
  [[nodiscard]] int descriptor() const { return lock_; }

 private:
  std::filesystem::path state_;
  int lock_ = -1;
};

/// That of a daemon which runs or did not end cleanly. Throws Error (bad input) where the file is damaged.
[[nodiscard]] std::optional<PolicyState> read_policy_state(const std::filesystem::path& folder,
                                                           const std::string& policy);

/// /run/trimtab for /sys; for the tree of another board a folder inside it.
[[nodiscard]] std::filesystem::path default_state_folder(const std::filesystem::path& root);

}  // namespace trimtab::thermal
