#include "base/boundary.h"

#include <cxxabi.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>
#include <typeinfo>

namespace trimtab {
namespace {

constexpr const char* please_report = "this is a fault of trimtab, please report it with the command line";
constexpr std::size_t longest_words = 300;

std::string readable_type(const std::exception& error) {
  const char* mangled = typeid(error).name();
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(mangled, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? name.get() : mangled;
}

/// The first line, without what libraries write after it: stack traces and more sentences.
std::string first_line(const std::string& words) {
  std::string line = words.substr(0, words.find('\n'));
  if (line.size() > longest_words) line = line.substr(0, longest_words) + "...";
  while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.pop_back();
  return line;
}

/// libtorch and ONNX say "Exception raised from FUNCTION at FILE:LINE (most recent call first)".
std::string place_of(const std::string& words) {
  const std::size_t raised = words.find("Exception raised from ");
  if (raised == std::string::npos) return "";
  const std::size_t at = words.find(" at ", raised);
  const std::size_t end = words.find_first_of(" \n", at + 4);
  return at == std::string::npos ? "" : " at " + words.substr(at + 4, std::min(end - at - 4, longest_words));
}

bool lacks_memory(const std::string& words) {
  for (const char* part : {"allocate memory", "not enough memory", "out of memory", "Insufficient memory"}) {
    if (words.find(part) != std::string::npos) return true;
  }
  return false;
}

Fault of_file_system(const std::filesystem::filesystem_error& error) {
  const std::error_code code = error.code();
  const bool disk = code == std::errc::no_space_on_device || code == std::errc::io_error ||
                    code == std::errc::file_too_large || code == std::errc::too_many_files_open;
  return {disk ? ExitCode::failure : ExitCode::bad_input,
          fmt::format("{}: {}", error.path1().string(), code.message())};
}

}  // namespace

Fault describe_exception(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::failure, "there is not enough memory"};
  } catch (const std::filesystem::filesystem_error& error) {
    return of_file_system(error);
  } catch (const nlohmann::json::parse_error& error) {
    return {ExitCode::bad_input, fmt::format("a file of JSON is damaged: {}", first_line(error.what()))};
  } catch (const std::exception& error) {
    const std::string words = error.what();
    if (lacks_memory(words)) return {ExitCode::failure, "there is not enough memory"};
    return {ExitCode::failure, fmt::format("internal: {} ({}){}; {}", first_line(words), readable_type(error),
                                           place_of(words), please_report)};
  } catch (...) {
    return {ExitCode::failure, fmt::format("internal: an exception of no known type; {}", please_report)};
  }
}

Error internal_fault(std::string_view what, const char* file, int line) {
  return failure("internal: {} at {}:{}; {}", what, file, line, please_report);
}

}  // namespace trimtab
