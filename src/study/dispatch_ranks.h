#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "study/ranks.h"

namespace trimtab {

// The messages between ranks, the only place that knows MPI. All of it is called from the main thread.

/// Between these two, ranks can talk. To be called where rank_count() > 1 only.
void join_ranks();
void leave_ranks();

void send_to_rank(int rank, const nlohmann::json& value);

struct RankMessage {
  int rank = 0;
  nlohmann::json value;
};
/// The next message from any rank, or nothing where none has come yet.
[[nodiscard]] std::optional<RankMessage> receive_from_ranks();

/// "host:process" of this process.
[[nodiscard]] std::string process_name();

}  // namespace trimtab
