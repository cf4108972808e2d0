#pragma once

#include <sys/types.h>

#include <filesystem>

namespace trimtab {

/// Files, folders and process groups that must not outlive this process. A small process of its own removes and kills
/// them when this process ends in any way: by a signal, kill -9 and a crash included. It starts with the first call,
/// lives in a session of its own and does nothing else.
namespace cleaner {

/// Starts it now, while this process is still small.
void start();

/// Name a path before it is made; after forget() it stays.
void watch(const std::filesystem::path& path);
void forget(const std::filesystem::path& path);

void watch_group(pid_t group);
void forget_group(pid_t group);

}  // namespace cleaner
}  // namespace trimtab
