#include "study/dispatch_ranks.h"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <array>
#include <climits>

#include "base/error.h"
#include "base/json_text.h"

namespace trimtab {
void join_ranks() {
  int given = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS)
    throw failure("MPI could not be initialised");
}

void leave_ranks() { MPI_Finalize(); }

void send_to_rank(int rank, const nlohmann::json& value) {
  const std::string text = json_text(value);
  if (text.size() > INT_MAX) throw failure("a message of {} bytes is too long for another rank", text.size());
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, rank, 0, MPI_COMM_WORLD);
}

std::optional<RankMessage> receive_from_ranks() {
  int there = 0;
  MPI_Status status{};
  MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &status);
  if (there == 0) return std::nullopt;
  int size = 0;
  MPI_Get_count(&status, MPI_CHAR, &size);
  std::string text(static_cast<std::size_t>(size), ' ');
  MPI_Recv(text.data(), size, MPI_CHAR, status.MPI_SOURCE, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return RankMessage{status.MPI_SOURCE, nlohmann::json::parse(text)};
}

std::string process_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}", host.data(), ::getpid());
}

}  // namespace trimtab
